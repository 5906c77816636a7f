package jwtverify

import (
	"errors"
	"fmt"

	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/issuer/reload"
)

// CheckFiles checks the files of a source and returns all errors. It sends no requests.
func CheckFiles(source KeySource) error {
	k := &KeySet{source: source}
	var wrong []error
	if source.File != "" {
		b, err := reload.Read(source.File, maxFile)
		if err == nil {
			_, _, err = jwks.Parse(b)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("keys.file: %s: %w", source.File, err))
		}
	}
	if _, err := k.roots(); err != nil {
		wrong = append(wrong, fmt.Errorf("keys.caFile: %w", err))
	}
	if source.TokenFile != "" {
		if _, err := k.token(); err != nil {
			wrong = append(wrong, fmt.Errorf("keys.tokenFile: %w", err))
		}
	}
	return errors.Join(wrong...)
}
