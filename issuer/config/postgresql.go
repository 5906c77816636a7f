package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/strictyaml"
)

// PostgreSQL says by which query of which database users are found.
type PostgreSQL struct {
	// Host is the name or the address of the server, as in its certificate. Several are separated by commas, as libpq has it: they are tried in
	// this order.
	Host string `yaml:"host"`
	// Port is 5432 by default. Several, separated by commas, are those of the hosts.
	Port string `yaml:"port"`
	// TargetSessionAttrs chooses among several hosts, with the words of libpq. By default the first that answers is taken.
	TargetSessionAttrs string `yaml:"targetSessionAttrs"`
	Database           string `yaml:"database"`
	// User and the content of PasswordFile are those of a role that may read what the query reads.
	User         string `yaml:"user"`
	PasswordFile string `yaml:"passwordFile"`
	// CAFile has the certificates that the server's is checked against, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// Query has $1 where the name goes that a person types. Its columns subject, passwordHash, disabled and scopes have a meaning; every other
	// one is an attribute of the user.
	Query string `yaml:"query"`
	// Connections is how many are open at most, by default 8.
	Connections int `yaml:"connections"`
	// Timeout bounds a query with the connection that it needs, by default 5 s.
	Timeout Duration `yaml:"timeout"`
}

// The values of TargetSessionAttrs.
func targetSessionAttrs() []string {
	return []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}
}

// Hosts returns the hosts, each with its port.
func (p *PostgreSQL) Hosts() []string {
	hosts, ports := strings.Split(p.Host, ","), strings.Split(p.Port, ",")
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(host, ports[min(i, len(ports)-1)])
	}
	return hosts
}

func (p *PostgreSQL) inherit() {
	if p.Port == "" {
		p.Port = "5432"
	}
	if p.TargetSessionAttrs == "" {
		p.TargetSessionAttrs = "any"
	}
	if p.Connections == 0 {
		p.Connections = 8
	}
	if p.Timeout == 0 {
		p.Timeout = Duration(5 * time.Second)
	}
}

func (p *PostgreSQL) check(f *strictyaml.Findings) {
	const at = "users.postgresql."
	hosts, ports := strings.Split(p.Host, ","), strings.Split(p.Port, ",")
	if slices.ContainsFunc(hosts, func(h string) bool { return h == "" || strings.ContainsAny(h, "/@ []") }) {
		f.Add(at+"host", "must be a name or an address, or several with commas in between: the issuer connects over TLS, not over a socket file")
	}
	for _, port := range ports {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			f.Add(at+"port", "must be a number from 1 to 65535, or one per host with commas in between")
			break
		}
	}
	if len(ports) != 1 && len(ports) != len(hosts) {
		f.Add(at+"port", "must be one number, or one per host: there are %d hosts and %d ports", len(hosts), len(ports))
	}
	if !slices.Contains(targetSessionAttrs(), p.TargetSessionAttrs) {
		f.Add(at+"targetSessionAttrs", "must be one of %s", strings.Join(targetSessionAttrs(), ", "))
	}
	for field, value := range map[string]string{"database": p.Database, "user": p.User, "passwordFile": p.PasswordFile} {
		if value == "" {
			f.Add(at+field, "must be set")
		}
	}
	if !strings.Contains(p.Query, "$1") {
		f.Add(at+"query", "must have $1 where the name of the user goes, like SELECT id AS subject, password AS passwordHash FROM users WHERE name = $1")
	}
	if t := time.Duration(p.Timeout); t < time.Millisecond || t > time.Minute {
		f.Add(at+"timeout", "must be between 1ms and 1m")
	}
	if p.Connections < 1 || p.Connections > 1000 {
		f.Add(at+"connections", "must be between 1 and 1000")
	}
}
