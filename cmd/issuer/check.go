package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/ldap"
	"github.com/keywright/keywright/issuer/login/postgres"
	"github.com/keywright/keywright/issuer/reload"
	"github.com/keywright/keywright/issuer/server"
)

// checkConfig reads everything that serve would read, and says all that is wrong with it.
func checkConfig(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("issuer check-config", flag.ContinueOnError)
	connect := flags.Bool("connect", false, "also connect to LDAP or PostgreSQL, and ask for a user whom nobody knows")
	withoutFiles := flags.Bool("without-files", false, "check the document alone, and none of the files that it names")
	args, err := parse(flags, args, out, 1, 1)
	if err != nil {
		return err
	}
	if *connect && *withoutFiles {
		return commandline.Usagef("--connect needs the files that --without-files leaves out: the password is in one")
	}
	path := args[0]
	b, err := reload.Read(path, config.MaxBytes)
	if err != nil {
		return err
	}
	settings, err := config.Check(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if settings == nil {
		return err
	}
	summary, ofUsers, wrong := "its files are not read", error(nil), error(nil)
	if !*withoutFiles {
		summary, ofUsers, wrong = checkFiles(settings)
	}
	found := errors.Join(err, ofUsers, wrong)
	switch {
	case !*connect:
	case err != nil || ofUsers != nil:
		found = errors.Join(found, errors.New("the users were not asked: correct the above first"))
	default:
		if err := tryUsers(ctx, settings); err != nil {
			found = errors.Join(fmt.Errorf("%s: %w", path, err), found)
		} else {
			summary = strings.Replace(summary, notAsked, "(asked)", 1)
		}
	}
	if found != nil {
		return found
	}
	_, err = fmt.Fprintf(out, "%s: configuration is valid: issuer %s, %d clients, %s\n", path, settings.Issuer, len(settings.Clients), summary)
	return err
}

// notAsked is said of users who are elsewhere.
const notAsked = "(not asked: --connect does)"

// tryUsers asks for a user whom nobody knows, where users are elsewhere.
func tryUsers(ctx context.Context, settings *config.Config) error {
	switch {
	case settings.Users.LDAP != nil:
		d := ldap.New(settings.Users.LDAP)
		defer d.Close()
		if _, err := d.Lookup(ctx, rand.Text()); !errors.Is(err, login.ErrDenied) {
			return fmt.Errorf("users.ldap: %w", err)
		}
	case settings.Users.PostgreSQL != nil:
		d, err := postgres.New(ctx, settings.Users.PostgreSQL, postgres.Options{Hasher: login.NewHasher(1, 0), Now: time.Now})
		if err != nil {
			return err
		}
		defer d.Close()
		var query *postgres.WrongQueryError
		switch err := d.Check(ctx); {
		case errors.As(err, &query):
			return fmt.Errorf("users.postgresql.%w", err)
		case err != nil:
			reasons := each(err) // login.ErrDown, which is about a user's password, and why
			return fmt.Errorf("users.postgresql%s: %w", postgres.FieldOf(err), reasons[len(reasons)-1])
		}
	}
	return nil
}

// checkFiles reads the files that a configuration names. Where it names none although it must, it is wrong already. ofUsers is what is wrong with
// those of the users, and err with the others.
func checkFiles(settings *config.Config) (summary string, ofUsers, err error) {
	var wrong []error
	check := func(field string, err error) {
		for _, err := range each(err) {
			wrong = append(wrong, fmt.Errorf("%s: %w", field, err))
		}
	}
	users, err := server.ReadUsers(settings)
	check("users.file", err)
	if settings.Users.LDAP != nil {
		check("users.ldap", ldap.CheckFiles(settings.Users.LDAP))
	}
	if settings.Users.PostgreSQL != nil {
		check("users.postgresql", postgres.CheckFiles(settings.Users.PostgreSQL))
	}
	ofUsers, wrong = errors.Join(wrong...), nil
	for i := range settings.TokenExchange {
		check(fmt.Sprintf("tokenExchange[%d]", i), jwtverify.CheckFiles(settings.TokenExchange[i].Keys))
	}
	if files := settings.Server.TLS; files.CertFile != "" && files.KeyFile != "" {
		certificate, err := server.ReadCertificate(files)
		check("server.tls", err)
		if err == nil {
			summary = fmt.Sprintf("certificate until %s, ", certificate.Leaf.NotAfter.Format(time.RFC3339))
		}
	}
	if mutual := settings.Server.MutualTLS; mutual != nil && mutual.ClientCAFile != "" {
		_, err := server.ReadClientCAs(mutual.ClientCAFile)
		check("server.mutualTLS.clientCAFile", err)
	}
	if directory := settings.SigningKey.Directory; directory != "" {
		key, err := keys.Load(directory, settings.SigningKey.KeySetDirectory)
		check("signingKey.directory", err)
		if err == nil && !key.Signs() {
			summary += fmt.Sprintf("SigningKey %s signs with no key: %s", key.SigningKey, key.Stopped)
		} else if err == nil {
			summary += fmt.Sprintf("SigningKey %s signs with key %s", key.SigningKey, key.KeyID)
		}
	}
	if len(wrong) > 0 || ofUsers != nil {
		return "", ofUsers, errors.Join(wrong...)
	}
	known := fmt.Sprintf("%d users", users.Len())
	switch {
	case settings.Users.LDAP != nil:
		known = "users from LDAP " + notAsked
	case settings.Users.PostgreSQL != nil:
		known = "users from PostgreSQL " + notAsked
	}
	return known + ", " + summary, nil, nil
}

// each returns the errors that are joined in one, none for nil.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
