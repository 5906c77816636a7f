package main

import "github.com/keywright/keywright/issuer/login"

// about says what a command does, with an example.
func about(command string) string {
	switch command {
	case "issuer serve":
		return `Serves tokens and public keys until SIGTERM, as the configuration says, and follows the files that it names.

  issuer serve --config /etc/keywright/issuer.yaml
`
	case "issuer check-config":
		return `Says all that is wrong with a configuration, its list of users and every other file that it names, with lines and fields. It asks no
server unless with --connect. The exit code is 1 if something is wrong.

  issuer check-config issuer.yaml
  issuer check-config --without-files issuer.yaml     # in a pipeline, where no file is mounted
`
	case "issuer hash":
		return `Makes an entry of users.yaml for the password on standard input, with a random subject. Without a name it prints the hash alone.

  issuer hash alice < password.txt

` + "`kubectl keywright users` changes a list of users, and asks for the password.\n"
	case "issuer new-secret":
		return `Makes a random secret for a client, and the secretSHA256 of it, which is what the configuration has. It reads and keeps nothing.

  issuer new-secret
`
	case "issuer version":
		return `Prints the version of the issuer, and of Go.

  issuer version
`
	case "issuer " + login.WorkerCommand:
		return `Hashes passwords for an issuer, which starts it: it is not for people.

  issuer ` + login.WorkerCommand + "\n"
	}
	return ""
}
