package users

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
	"github.com/keywright/keywright/issuer/login"
)

// location selects a list of users.
type location struct {
	file, secret string
	create       bool
}

const defaultSecret = "keywright-issuer-users"

func (at *location) addFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&at.file, "filename", "f", "", "`FILE` with a UserList, instead of a Secret")
	cmd.PersistentFlags().StringVar(&at.secret, "secret", "", "`SECRET` with the entry users.yaml (default "+defaultSecret+"; a second issuer has <release>-issuer-users)")
}

// userList is a stored list of users.
type userList interface {
	fmt.Stringer
	// read returns the list. One that does not exist is empty with --create, and otherwise an error.
	read(ctx context.Context) ([]byte, error)
	// change writes a changed list. If another process has changed the list in the meantime, it reads it again or fails.
	change(ctx context.Context, change func(*login.Edit) error) error
}

// open returns the list that the flags select.
func (c *command) open(ctx context.Context, at *location) (userList, error) {
	namespace := c.NamespaceFlag()
	if at.file != "" {
		if at.secret != "" || namespace != "" {
			return nil, cli.Usagef("-f is a file and cannot be combined with --secret and -n")
		}
		if at.file == "-" {
			return nil, cli.Usagef("-f must be a file: standard input is for the password")
		}
		return &fileList{path: at.file, create: at.create}, nil
	}
	k, err := c.Client()
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		if namespace, err = leader.KeyNamespace(ctx, c.Env, k); err != nil {
			return nil, err
		}
	}
	return &secretList{
		client: k, namespace: namespace, name: cmp.Or(at.secret, defaultSecret), create: at.create,
		warn: func(format string, args ...any) { cli.Printf(c.ErrOut, format, args...) },
	}, nil
}

// edit reads a list, and returns it for reading or changes.
func edit(ctx context.Context, list userList) (*login.Edit, error) {
	text, err := list.read(ctx)
	if err != nil {
		return nil, err
	}
	e, err := login.EditUsers(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not valid, nothing was changed:\n%w", list, err)
	}
	return e, nil
}
