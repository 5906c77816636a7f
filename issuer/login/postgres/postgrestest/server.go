package postgrestest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Password is the password of the role keywright, which has only the right to log in.
const Password = "role's password"

// Server is a PostgreSQL server with the database app. It accepts only TLS connections from outside. Its methods fail
// the test on errors.
type Server struct {
	*testing.T
	// Directory contains tls.crt, and the file password of the role.
	Directory string
	Port      string

	cmd *exec.Cmd
	ssl string
	as  *syscall.Credential
}

// Start starts Debian's PostgreSQL and runs SQL in the database app. The server stops at the end of the test. The
// test is skipped if PostgreSQL is missing, unless REQUIRE_POSTGRES is set.
func Start(t *testing.T, sql string) *Server {
	t.Helper()
	s := newServer(t)
	s.run("initdb", "-D", s.data(), "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8")
	s.certificate()
	s.Write("data/pg_hba.conf", "local all all trust\nlocal replication all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 trust\n")
	s.start()
	s.SQL("postgres", fmt.Sprintf("CREATE ROLE keywright LOGIN PASSWORD '%s'; CREATE DATABASE app", strings.ReplaceAll(Password, "'", "''")))
	s.Write("password", Password+"\n")
	s.SQL("app", sql)
	return s
}

// Standby starts a standby of this server.
func (s *Server) Standby() *Server {
	s.Helper()
	other := newServer(s.T)
	other.run("pg_basebackup", "-D", other.data(), "-h", s.Directory, "-p", s.Port, "-U", "postgres", "-R", "--checkpoint=fast", "--no-sync")
	for _, name := range []string{"tls.crt", "tls.key"} {
		b, err := os.ReadFile(filepath.Join(s.Directory, name))
		other.must(err)
		other.Write(name, string(b))
	}
	other.start()
	return other
}

func newServer(t *testing.T) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("-short skips tests that need PostgreSQL")
	}
	if len(binaries()) == 0 {
		if os.Getenv("REQUIRE_POSTGRES") != "" {
			t.Fatal("PostgreSQL is needed: apt-get install postgresql")
		}
		t.Skip("PostgreSQL is missing: apt-get install postgresql")
	}
	s := &Server{T: t, ssl: "on"}
	var err error
	// Not in t.TempDir, which only root may enter; the path of a socket must be short.
	s.Directory, err = os.MkdirTemp("", "pg") //nolint:usetesting // see above
	s.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(s.Directory) })
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		postgres, err := user.Lookup("postgres")
		s.must(err)
		uid, _ := strconv.Atoi(postgres.Uid)
		gid, _ := strconv.Atoi(postgres.Gid)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		s.must(os.Chown(s.Directory, uid, gid))
	}
	s.Port = freePort(t)
	return s
}

// binaries returns the directories of Debian's versions, and that in the PATH.
func binaries() []string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is valid
	if path, err := exec.LookPath("postgres"); err == nil {
		found = append(found, path)
	}
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found
}

func (s *Server) data() string { return filepath.Join(s.Directory, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries()[0], name), args...)
	cmd.Dir = s.Directory
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	return cmd
}

func (s *Server) run(name string, args ...string) {
	s.Helper()
	if out, err := s.command(name, args...).CombinedOutput(); err != nil {
		s.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// start starts the server, and waits until it accepts connections.
func (s *Server) start() {
	s.Helper()
	log, err := os.OpenFile(filepath.Join(s.Directory, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	s.cmd = s.command("postgres", "-D", s.data(), "-p", s.Port, "-k", s.Directory, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "ssl="+s.ssl, "-c", "ssl_cert_file="+filepath.Join(s.Directory, "tls.crt"), "-c", "ssl_key_file="+filepath.Join(s.Directory, "tls.key"))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.must(s.cmd.Start())
	_ = log.Close()
	cmd := s.cmd
	s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	deadline := time.Now().Add(time.Minute)
	for s.command("pg_isready", "-q", "-h", s.Directory, "-p", s.Port).Run() != nil {
		if time.Now().After(deadline) {
			s.Fatalf("PostgreSQL does not answer:\n%s", s.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop stops the server immediately and aborts running queries.
func (s *Server) Stop() {
	s.Helper()
	s.must(s.cmd.Process.Signal(syscall.SIGQUIT))
	_ = s.cmd.Wait() // returns the exit status of the stop
}

// Again restarts the server after Stop.
func (s *Server) Again() { s.Helper(); s.start() }

// Plain restarts the server after Stop, without TLS.
func (s *Server) Plain() { s.Helper(); s.ssl = "off"; s.start() }

// Promote promotes a standby to the primary.
func (s *Server) Promote() {
	s.Helper()
	s.run("pg_ctl", "promote", "-D", s.data(), "-w")
}

// SQL runs statements as the superuser, and returns their output, one value per line.
func (s *Server) SQL(database, statements string) string {
	s.Helper()
	cmd := s.command("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", s.Directory, "-p", s.Port, "-U", "postgres", database)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// Log returns the log of the server.
func (s *Server) Log() string {
	b, _ := os.ReadFile(filepath.Join(s.Directory, "log"))
	return string(b)
}

// Write replaces a file in Directory.
func (s *Server) Write(name, content string) {
	s.Helper()
	path := filepath.Join(s.Directory, name)
	s.must(os.WriteFile(path, []byte(content), 0o600))
	if s.as != nil {
		s.must(os.Chown(path, int(s.as.Uid), int(s.as.Gid)))
	}
}

func (s *Server) certificate() {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postgresql"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	s.Write("tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.Write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func (s *Server) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String()) // it is one
	return port
}
