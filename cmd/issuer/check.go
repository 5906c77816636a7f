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

// checkConfig validates everything that serve would read, and returns all errors.
func checkConfig(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("issuer check-config", flag.ContinueOnError)
	connect := flags.Bool("connect", false, "also connect to LDAP or PostgreSQL, and look up a user that does not exist")
	withoutFiles := flags.Bool("without-files", false, "validate only the document, without the files that it names")
	args, err := parse(flags, args, out, 1, 1)
	if err != nil {
		return err
	}
	if *connect && *withoutFiles {
		return commandline.Usagef("--connect cannot be combined with --without-files: it needs the password for LDAP or PostgreSQL, which is in a file")
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
	summary, usersErr, wrong := "files not checked", error(nil), error(nil)
	if !*withoutFiles {
		summary, usersErr, wrong = checkFiles(settings)
	}
	found := errors.Join(err, usersErr, wrong)
	switch {
	case !*connect:
	case err != nil || usersErr != nil:
		found = errors.Join(found, errors.New("the directory of users was not checked: correct the errors above first"))
	default:
		if err := checkDirectory(ctx, settings); err != nil {
			found = errors.Join(fmt.Errorf("%s: %w", path, err), found)
		} else {
			summary = strings.Replace(summary, notChecked, "(checked)", 1)
		}
	}
	if found != nil {
		return found
	}
	_, err = fmt.Fprintf(out, "%s: configuration is valid: issuer %s, %d clients, %s\n", path, settings.Issuer, len(settings.Clients), summary)
	return err
}

// notChecked is printed for users in LDAP or PostgreSQL.
const notChecked = "(not checked: use --connect)"

// checkDirectory looks up a user that does not exist, if users are in LDAP or PostgreSQL.
func checkDirectory(ctx context.Context, settings *config.Config) error {
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
			reasons := each(err) // login.ErrDown, which is about a login, and the cause
			return fmt.Errorf("users.postgresql%s: %w", postgres.FieldOf(err), reasons[len(reasons)-1])
		}
	}
	return nil
}

// checkFiles validates the files that a configuration names. A missing name is an error of the configuration itself. usersErr has the errors
// of the files for users, and err those of the others.
func checkFiles(settings *config.Config) (summary string, usersErr, err error) {
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
	usersErr, wrong = errors.Join(wrong...), nil
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
	if len(wrong) > 0 || usersErr != nil {
		return "", usersErr, errors.Join(wrong...)
	}
	source := fmt.Sprintf("%d users", users.Len())
	switch {
	case settings.Users.LDAP != nil:
		source = "users from LDAP " + notChecked
	case settings.Users.PostgreSQL != nil:
		source = "users from PostgreSQL " + notChecked
	}
	return source + ", " + summary, nil, nil
}

// each returns the errors that are joined in an error, none for nil.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
