package main

import (
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// command is what the commands that are still in this package share.
type command struct{ *cli.Env }
