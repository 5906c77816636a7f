package users

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
	"github.com/keywright/keywright/issuer/login"
)

// location says which list of users is meant.
type location struct {
	file, secret string
	create       bool
}

const defaultSecret = "keywright-issuer-users"

func (at *location) addFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&at.file, "filename", "f", "", "`FILE` with a UserList, instead of a Secret")
	cmd.PersistentFlags().StringVar(&at.secret, "secret", "", "`SECRET` with the entry users.yaml (default "+defaultSecret+"; a second issuer has <release>-issuer-users)")
}

// userList is a list of users where it is kept.
type userList interface {
	fmt.Stringer
	// read returns the list. One that does not exist is empty if it is to be made, and an error else.
	read(ctx context.Context) ([]byte, error)
	// change writes a changed list, unless somebody else has changed it meanwhile: then it reads it again, or fails.
	change(ctx context.Context, change func(*login.Edit) error) error
}

// open finds the list that the flags name.
func (c *command) open(ctx context.Context, at *location) (userList, error) {
	namespace := c.NamespaceFlag()
	if at.file != "" {
		if at.secret != "" || namespace != "" {
			return nil, cli.Usagef("-f is a file: --secret and -n do not go with it")
		}
		if at.file == "-" {
			return nil, cli.Usagef("-f must name a file: standard input is where a password comes from")
		}
		return &fileList{path: at.file, create: at.create}, nil
	}
	k, err := c.Client()
	if err != nil {
		return nil, err
	}
	if namespace == "" && c.KeyNamespace == "" {
		l, err := leader.Find(ctx, c.Env, k)
		if err != nil && !apierrors.IsForbidden(err) { // whoever may change one Secret need not see Leases
			return nil, err
		}
		namespace = l.Namespace
	}
	return &secretList{
		client: k, namespace: cmp.Or(namespace, c.KeyNamespace, cli.DefaultKeyNamespace), name: cmp.Or(at.secret, defaultSecret), create: at.create,
		warn: func(format string, args ...any) { cli.Printf(c.ErrOut, format, args...) },
	}, nil
}

// edit reads a list, to look at it or to change it.
func edit(ctx context.Context, list userList) (*login.Edit, error) {
	text, err := list.read(ctx)
	if err != nil {
		return nil, err
	}
	e, err := login.EditUsers(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not valid, so nothing is changed:\n%w", list, err)
	}
	return e, nil
}
