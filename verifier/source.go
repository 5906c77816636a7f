package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source says where the key set of an issuer is. File and HTTPS make one; there are no others. Any number of Verifiers
// may have the same Source.
type Source interface {
	// String is the path or the URL, for logs.
	fmt.Stringer
	// key is equal for Sources that read the same in the same way.
	key() any
	// open checks the Source and begins to read it for one Verifier.
	open() (content, error)
	// pace is the default time between two looks, and the least time between two that unknown kids cause.
	pace() (look, unknown time.Duration)
}

// content is what a Source holds, read by one goroutine.
type content interface {
	// read returns what it holds, or errUnchanged if that is known to be what was read last. If again is set it is read in
	// any case. now is the time.
	read(ctx context.Context, now time.Time, again bool) (version, error)
	// frozen says why the content can never change, "" if it can.
	frozen() string
	// close lets go of what read left open.
	close()
}

// version is one version of what a source holds.
type version struct {
	// keys is the key set.
	keys []byte
	// list is the revocation list, nil if there is none, and listFailure why it could not be read.
	list        []byte
	listFailure error
}

// errUnchanged is returned by content.read.
var errUnchanged = errors.New("unchanged")
