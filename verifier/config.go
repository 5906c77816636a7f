package verifier

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// The defaults and bounds of Config.
const (
	defaultType          = "at+jwt"
	defaultClockSkew     = time.Minute
	maxClockSkew         = time.Hour
	defaultMaxTokenBytes = 8 << 10
	maxPollInterval      = time.Minute
	minStaleness         = time.Minute
)

// Config says which tokens a Verifier accepts. Issuers and Audience have no default: a Verifier without them would
// accept what it should not.
type Config struct {
	// Issuers binds each iss whose tokens are accepted, exactly, to the one key set that signs for it:
	//
	//	map[string]verifier.Source{"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json")}
	//
	// A key of one issuer never signs for another, unless both have the same source: an issuer that is being renamed has
	// its old iss and its new one here. The source is then read once for both.
	Issuers map[string]Source
	// Audience is the name of this service, which must be in the aud of tokens, exactly.
	Audience string
	// Type is the typ that tokens must have, at+jwt (RFC 9068 section 2.1) if empty. Case does not count, and
	// application/ may stand before it, here and there. With JWT, a token without a typ is accepted too: so are those of Kubernetes
	// ServiceAccounts and the ID tokens of OpenID providers. Every other kind of token that such an issuer signs is then accepted as well,
	// if it is for this audience.
	Type string
	// ClockSkew is by how much exp, nbf and iat may be off in favour of a token, 1m if zero, at most 1h. Beside a revocation
	// list, exp may be off by the clockSkew of the SigningKey at most: the list forgets a token once that has passed.
	ClockSkew time.Duration
	// MaxTokenBytes is the longest token that is looked at, 8192 bytes if zero, at most 65536.
	MaxTokenBytes int
	// DecryptionKeys opens nested tokens, which the issuer has encrypted for this service; nil refuses them. Signed tokens
	// that are not encrypted are accepted as ever.
	DecryptionKeys *DecryptionKeys
	// Proof says whether tokens must be bound to a key of their sender, Bearer if it is not set. It costs bearer tokens nothing.
	Proof Proof
	// BaseURL is the URL of this service as clients see it, such as https://orders.example.com, with the part of the path that a proxy
	// takes away. The path of a request is put behind it, and must be what the htu of its DPoP proof says. The Host header and those of
	// proxies are never looked at, since a client may send any.
	//
	// With DPoP it is mandatory, unless there is a RequestURL.
	BaseURL string
	// RequestURL returns the URL that the client has used for a request, in the place of BaseURL: for a service of several names, or
	// behind a proxy that changes paths. Its query does not count. An empty text refuses the proof.
	RequestURL func(*http.Request) string
	// Metadata is what the challenges of Middleware point to (RFC 9728 section 5.1), so that a client finds the issuer by itself; nil
	// leaves that out. Its Handler must be served at its Path.
	Metadata *Metadata
	// PollInterval is the time between two looks at a source, at most 1m; if zero, 1s for a File and 30s for HTTPS. So long
	// may a revoked key be trusted after its file was replaced.
	PollInterval time.Duration
	// MaxStaleness is for how long tokens are accepted while the source of their keys cannot be read, at least 1m; zero is
	// for ever. Within it a revocation may go unheard; past it every token is refused with ErrStaleKeySet.
	MaxStaleness time.Duration
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Logger hears of loaded key sets and of sources that cannot be read, slog.Default() if nil. At debug level it hears
	// why Middleware refused a token; no level hears any part of one.
	Logger *slog.Logger
	// Accelerator prepares the keys for faster checks of their signatures, in the background, 32 keys at most; nobody does if it
	// is nil. The module verifier/fast has one.
	Accelerator Accelerator
	// Observer hears of each token and of each read of a source, for metrics. Nobody does if it is nil.
	Observer Observer
}

// complete checks a Config and fills in its defaults.
func (c Config) complete() (Config, error) {
	if err := c.checkNames(); err != nil {
		return c, err
	}
	if err := c.checkProof(); err != nil {
		return c, err
	}
	if err := c.checkMetadata(); err != nil {
		return c, err
	}
	if c.Type == "" {
		c.Type = defaultType
	}
	if jws.MediaType(c.Type) == "" {
		return c, errors.New("config field Type is not a media type such as at+jwt")
	}
	var err error
	if c.ClockSkew, err = bounded("ClockSkew", c.ClockSkew, defaultClockSkew, maxClockSkew); err != nil {
		return c, err
	}
	if c.PollInterval, err = bounded("PollInterval", c.PollInterval, 0, maxPollInterval); err != nil {
		return c, err
	}
	if c.MaxStaleness != 0 && c.MaxStaleness < minStaleness {
		return c, fmt.Errorf("config field MaxStaleness is %v: it must be 0, which means for ever, or at least %v", c.MaxStaleness, minStaleness)
	}
	if c.MaxTokenBytes, err = bounded("MaxTokenBytes", c.MaxTokenBytes, defaultMaxTokenBytes, largestToken); err != nil {
		return c, err
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the one default clock; all else takes it from the Config
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	return c, nil
}

// checkNames checks what has no default.
func (c Config) checkNames() error {
	if len(c.Issuers) == 0 {
		return errors.New("config field Issuers is empty: it is mandatory")
	}
	for issuer, source := range c.Issuers {
		if strings.TrimSpace(issuer) == "" || source == nil {
			return errors.New("config field Issuers has an empty name or no source for one")
		}
	}
	if strings.TrimSpace(c.Audience) == "" {
		return errors.New("config field Audience is empty: it is mandatory")
	}
	return nil
}

// bySource returns the issuers, sorted, and together those whose keys have the same source.
func (c Config) bySource() [][]string {
	var groups [][]string
	place := map[any]int{}
	for _, issuer := range slices.Sorted(maps.Keys(c.Issuers)) {
		key := c.Issuers[issuer].key()
		i, seen := place[key]
		if !seen {
			i = len(groups)
			place[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], issuer)
	}
	return groups
}

// bounded returns the value of a field, or its default if it is zero.
func bounded[T int | time.Duration](name string, value, ifZero, most T) (T, error) {
	if value < 0 || value > most {
		return 0, fmt.Errorf("config field %s is %v: it must be from 0, which means the default, to %v", name, value, most)
	}
	if value == 0 {
		return ifZero, nil
	}
	return value, nil
}
