package main

import "github.com/keywright/keywright/issuer/login"

// about returns the description of a command, with an example.
func about(command string) string {
	switch command {
	case "issuer serve":
		return `Serves tokens and public keys until SIGTERM, and reloads the files that the configuration names.

  issuer serve --config /etc/keywright/issuer.yaml
`
	case "issuer check-config":
		return `Validates a configuration, its list of users and all other files that it names, and prints each error with line and field. It
connects to no server without --connect. The exit code is 1 if there are errors.

  issuer check-config issuer.yaml
  issuer check-config --without-files issuer.yaml     # in a pipeline, without the mounted files
`
	case "issuer check-service":
		return `Connects to an issuer over TLS, and checks that its metadata names this URL and that its key set has the keys of a file. It tries
again until the timeout, since mounted files can be 90 s old. ` + "`helm test` runs this command.\n" + `
  issuer check-service --url https://login.example.com --ca ca.crt --key-set /var/run/keywright/jwks/main.json
`
	case "issuer hash":
		return `Prints an entry of users.yaml for the password on standard input, with a random subject. Without a name, prints only the hash.

  issuer hash alice < password.txt

` + "`kubectl keywright users` changes a list of users, and asks for the password.\n"
	case "issuer new-secret":
		return `Prints a random secret for a client, and its secretSHA256 for the configuration. Reads and stores nothing.

  issuer new-secret
`
	case "issuer version":
		return `Prints the versions of the issuer and of Go.

  issuer version
`
	case "issuer " + login.WorkerCommand:
		return `Hashes passwords. The issuer starts this command itself: do not run it.

  issuer ` + login.WorkerCommand + "\n"
	}
	return ""
}
