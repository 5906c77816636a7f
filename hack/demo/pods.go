package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keywright/keywright/hack/demo/traffic"
)

// describe says for each process what it is started with, and where it can be reached.
func (s *stage) describe(bin string) error {
	s.processes, s.addresses = map[string]*process{}, map[string]string{}
	in := func(parts ...string) string { return filepath.Join(append([]string{s.directory}, parts...)...) }
	add := func(name string, args ...string) {
		s.processes[name] = &process{name: name, args: args, log: in(name + ".log")}
	}
	add("controller", filepath.Join(bin, "controller"), "--kubeconfig", in("controller.kubeconfig"), "--key-namespace", keyNamespace,
		"--metrics-bind-address=", "--health-probe-bind-address=",
		"--leader-elect-lease-duration=4s", "--leader-elect-renew-deadline=3s", "--leader-elect-retry-period=1s")
	hash, err := hashOf(filepath.Join(bin, "issuer"))
	if err != nil {
		return err
	}
	for _, pod := range []string{"issuer-1", "issuer-2", "shop", "warehouse"} {
		if err := os.MkdirAll(in(pod, "keys"), 0o700); err != nil {
			return err
		}
		address, err := freeAddress()
		if err != nil {
			return err
		}
		s.addresses[pod] = "https://" + address
		if !strings.HasPrefix(pod, "issuer") {
			add(pod, filepath.Join(bin, "service"), "--name", pod, "--address", address, "--issuer", issuerURL,
				"--keys", in(pod, "keys", keyName+".json"), "--cert", in("tls.crt"), "--key", in("tls.key"))
			continue
		}
		metrics, err := freeAddress()
		if err != nil {
			return err
		}
		config := fmt.Sprintf(issuerConfig, issuerURL, address, metrics, in("tls.crt"), in("tls.key"), in(pod, "keys"), in(pod, "key-sets"), in(pod, "users.yaml"), maxLifetime)
		if err := os.WriteFile(in(pod, "issuer.yaml"), []byte(config), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(in(pod, "users.yaml"), fmt.Appendf(nil, usersFile, alice().Name, hash, bob().Name, hash, carol().Name, hash), 0o600); err != nil {
			return err
		}
		add(pod, filepath.Join(bin, "issuer"), "serve", "--config", in(pod, "issuer.yaml"))
	}
	return nil
}

// alice is who the load logs in as, bob whose tokens end early, and carol who stays logged in.
func alice() traffic.User { return traffic.User{Name: "alice", Password: "wonderland"} }
func carol() traffic.User { return traffic.User{Name: "carol", Password: alice().Password} }
func bob() traffic.User   { return traffic.User{Name: "bob", Password: alice().Password} }

// hashOf hashes the password as an operator would.
func hashOf(issuer string) (string, error) {
	cmd := exec.Command(issuer, "hash")
	cmd.Stdin = strings.NewReader(alice().Password + "\n")
	out, err := cmd.Output()
	return string(bytes.TrimSpace(out)), err
}

const issuerURL = "https://issuer.example.com"

const issuerConfig = `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %s
server:
  address: %s
  metricsAddress: %s
  tls: {certFile: %q, keyFile: %q}
signingKey: {directory: %q, keySetDirectory: %q}
users: {file: %q}
token:
  lifetime: %s
  audiences: [https://shop.example.com, https://warehouse.example.com]
clients:
- {id: web, public: true, grantTypes: [password]}
- {id: agent, public: true, grantTypes: [password], refresh: {dpop: true}}
`

const usersFile = `apiVersion: issuer.keywright.dev/v1alpha1
kind: UserList
users:
- name: %s
  subject: alice-7f3a
  passwordHash: %q
  claims: {email: alice@example.com}
- name: %s
  subject: bob-1c9d
  passwordHash: %q
- name: %s
  subject: carol-5e2b
  passwordHash: %q
`
