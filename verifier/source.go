package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source locates the key set of an issuer. File and HTTPS return one; there are no other implementations. Several
// Verifiers may share a Source.
type Source interface {
	// String returns the path or the URL, for logs.
	fmt.Stringer
	// cacheKey returns equal values for Sources that read the same content in the same way.
	cacheKey() any
	// open validates the Source and returns a reader for one Verifier.
	open() (sourceReader, error)
	// intervals returns the default interval between polls, and the minimum interval between polls that unknown kids
	// cause.
	intervals() (poll, unknownKey time.Duration)
}

// sourceReader reads the content of a Source. It is used by one goroutine.
type sourceReader interface {
	// read returns the content, or errUnchanged if it did not change since the last read. If force is set, it reads
	// it in any case.
	read(ctx context.Context, now time.Time, force bool) (rawContent, error)
	// immutableReason returns why the content can never change, or "" if it can.
	immutableReason() string
	// close releases the resources of read.
	close()
}

// rawContent is one version of the content of a source.
type rawContent struct {
	keySet []byte
	// revocationList is nil if there is none, and listFailure is set if it could not be read.
	revocationList []byte
	listFailure    error
}

// errUnchanged is returned by sourceReader.read.
var errUnchanged = errors.New("unchanged")
