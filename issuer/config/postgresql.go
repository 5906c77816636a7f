package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/strictyaml"
)

// PostgreSQL configures the database and the query for users.
type PostgreSQL struct {
	// Host is the name or address of the server, as in its certificate. Several, separated by commas, are tried in
	// this order, as by libpq.
	Host string `yaml:"host"`
	// Port is the port, by default 5432. Several, separated by commas, correspond to the hosts.
	Port string `yaml:"port"`
	// TargetSessionAttrs selects among several hosts, with the values of libpq. By default the first reachable host
	// is used.
	TargetSessionAttrs string `yaml:"targetSessionAttrs"`
	// Database is the name of the database.
	Database string `yaml:"database"`
	// User is the role that runs the query.
	User string `yaml:"user"`
	// PasswordFile contains the password of User.
	PasswordFile string `yaml:"passwordFile"`
	// CAFile contains the CA certificates of the server, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// Query is the SQL query, with the user name as $1. The columns subject, passwordHash, disabled and scopes have a
	// fixed meaning; all others are attributes of the user.
	Query string `yaml:"query"`
	// Connections is the maximum number of connections, by default 8.
	Connections int `yaml:"connections"`
	// Timeout limits a query, including the connection, by default 5 s.
	Timeout Duration `yaml:"timeout"`
}

// targetSessionAttrs returns the values of TargetSessionAttrs.
func targetSessionAttrs() []string {
	return []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}
}

// Hosts returns the hosts with their ports.
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
		f.Add(at+"query", "must have $1 in the place of the user name, like SELECT id AS subject, password AS passwordHash FROM users WHERE name = $1")
	}
	if t := time.Duration(p.Timeout); t < time.Millisecond || t > time.Minute {
		f.Add(at+"timeout", "must be between 1ms and 1m")
	}
	if p.Connections < 1 || p.Connections > 1000 {
		f.Add(at+"connections", "must be between 1 and 1000")
	}
}
