package login

import (
	"errors"
	"strings"

	"golang.org/x/text/secure/precis"
)

// Prepare normalizes a name and a password for comparison (RFC 8265), so that different keyboards give the same
// result. It returns false if either is empty or has a forbidden character, such as NUL, at which some hashes end.
// This does not depend on the existing users, so it may return faster than for a wrong password.
func Prepare(name, password string) (preparedName, preparedPassword string, ok bool) {
	preparedName, err := PrepareName(name)
	if err != nil {
		return "", "", false
	}
	preparedPassword, err = preparePassword(password)
	return preparedName, preparedPassword, err == nil && preparedPassword != ""
}

// PrepareName normalizes a user name by parts of the profile UsernameCasePreserved (RFC 8265 section 3.4), with inner
// spaces (section 3.1).
func PrepareName(name string) (string, error) {
	parts := strings.Split(name, " ")
	for i, part := range parts {
		prepared, err := precis.UsernameCasePreserved.String(part)
		if err != nil {
			return "", err
		}
		parts[i] = prepared
	}
	if prepared := strings.Join(parts, " "); prepared != "" {
		return prepared, nil
	}
	return "", errors.New("the name is empty")
}

// preparePassword normalizes a password by the profile OpaqueString (RFC 8265 section 4.2).
func preparePassword(password string) (string, error) { return precis.OpaqueString.String(password) }
