package login

import (
	"errors"
	"strings"

	"golang.org/x/text/secure/precis"
)

// Prepare brings a name and a password into the form in which they are compared (RFC 8265): what looks the same on two keyboards is the
// same, also if one composes its accents and the other does not. It reports false if they can be nobody's: one is empty, or has a character
// that neither may have, like NUL, at which some hashes end. That tells nothing about who exists, so it need not take as long as a wrong
// password.
func Prepare(name, password string) (preparedName, preparedPassword string, ok bool) {
	preparedName, err := PrepareName(name)
	if err != nil {
		return "", "", false
	}
	preparedPassword, err = preparePassword(password)
	return preparedName, preparedPassword, err == nil && preparedPassword != ""
}

// PrepareName prepares a user name: parts of the profile UsernameCasePreserved (RFC 8265 section 3.4), with spaces in between (section 3.1).
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
	return "", errors.New("a name without characters")
}

// preparePassword prepares a password by the profile OpaqueString (RFC 8265 section 4.2).
func preparePassword(password string) (string, error) { return precis.OpaqueString.String(password) }
