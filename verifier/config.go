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

// Config configures a Verifier. Issuers and Audience are mandatory and have no default.
type Config struct {
	// Issuers maps each accepted iss to the source of its keys:
	//
	//	map[string]verifier.Source{"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json")}
	//
	// A key of one issuer never verifies tokens of another, unless both have the same Source: list an issuer that is
	// being renamed under its old iss and its new one. The source is then read once for both.
	Issuers map[string]Source
	// Audience is the name of this service. It must be one of the values of aud, by exact comparison.
	Audience string
	// Type is the required typ of tokens; if empty, at+jwt (RFC 9068 section 2.1). The comparison ignores case and
	// the prefix application/. With JWT, a token without a typ is accepted too, such as a Kubernetes ServiceAccount
	// token or an OpenID ID token. Then all kinds of tokens of that issuer for this audience are accepted.
	Type string
	// ClockSkew is the tolerance for exp, nbf and iat; 1m if zero, at most 1h. With a revocation list, the tolerance
	// for exp is at most the clockSkew of the SigningKey, because the list drops an entry once that has passed.
	ClockSkew time.Duration
	// MaxTokenBytes is the maximum length of a token; 8192 bytes if zero, at most 65536.
	MaxTokenBytes int
	// DecryptionKeys decrypts nested tokens, which the issuer has encrypted for this service. If nil, encrypted
	// tokens are rejected. Tokens that are only signed are accepted in both cases.
	DecryptionKeys *DecryptionKeys
	// Proof configures whether tokens must be bound to a key of their sender; Bearer if not set.
	Proof Proof
	// BaseURL is the external URL of this service, such as https://orders.example.com, with the path prefix that a
	// proxy removes. BaseURL and the path of the request must equal the htu of its DPoP proof. The Host header and
	// proxy headers are ignored, because a client can forge them.
	//
	// It is mandatory with DPoP, unless RequestURL is set.
	BaseURL string
	// RequestURL returns the external URL of a request, instead of BaseURL: for a service with several names, or
	// behind a proxy that rewrites paths. Its query is ignored. If it returns "", the proof is rejected.
	RequestURL func(*http.Request) string
	// Metadata is the protected resource metadata that challenges of Middleware refer to (RFC 9728 section 5.1), or
	// nil. Its Handler must be served at its Path.
	Metadata *Metadata
	// PollInterval is the interval between polls of a source, at most 1m; if zero, 1s for a File and 30s for HTTPS. A
	// revoked key may be accepted for this long after its file was replaced.
	PollInterval time.Duration
	// MaxStaleness is how long tokens are accepted while the source of their keys cannot be read, at least 1m; zero
	// means without limit. After that, all tokens are rejected with ErrStaleKeySet.
	MaxStaleness time.Duration
	// Now returns the current time; time.Now if nil.
	Now func() time.Time
	// Logger logs loaded key sets and sources that cannot be read; slog.Default() if nil. At debug level it logs why
	// Middleware rejects a token. No part of a token is logged.
	Logger *slog.Logger
	// Accelerator prepares up to 32 keys in the background, for faster verification of their signatures. It may be
	// nil. The module verifier/fast implements it.
	Accelerator Accelerator
	// Observer is notified of each token and each read of a source, for metrics. It may be nil.
	Observer Observer
}

// complete validates a Config and sets its defaults.
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
		return c, errors.New("config field Type must be a media type such as at+jwt")
	}
	var err error
	if c.ClockSkew, err = bounded("ClockSkew", c.ClockSkew, defaultClockSkew, maxClockSkew); err != nil {
		return c, err
	}
	if c.PollInterval, err = bounded("PollInterval", c.PollInterval, 0, maxPollInterval); err != nil {
		return c, err
	}
	if c.MaxStaleness != 0 && c.MaxStaleness < minStaleness {
		return c, fmt.Errorf("config field MaxStaleness is %v: it must be 0, which means no limit, or at least %v", c.MaxStaleness, minStaleness)
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
		c.Observer = noopObserver{}
	}
	return c, nil
}

// checkNames validates the mandatory fields.
func (c Config) checkNames() error {
	if len(c.Issuers) == 0 {
		return errors.New("config field Issuers is empty: it is mandatory")
	}
	for issuer, source := range c.Issuers {
		if strings.TrimSpace(issuer) == "" || source == nil {
			return errors.New("config field Issuers has an empty iss, or an iss without a source")
		}
	}
	if strings.TrimSpace(c.Audience) == "" {
		return errors.New("config field Audience is empty: it is mandatory")
	}
	return nil
}

// bySource returns the issuers in sorted order, grouped by source.
func (c Config) bySource() [][]string {
	var groups [][]string
	place := map[any]int{}
	for _, issuer := range slices.Sorted(maps.Keys(c.Issuers)) {
		key := c.Issuers[issuer].cacheKey()
		i, seen := place[key]
		if !seen {
			i = len(groups)
			place[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], issuer)
	}
	return groups
}

// bounded returns the value of a field, or its default if the value is zero. It returns an error if the value is out
// of bounds.
func bounded[T int | time.Duration](name string, value, ifZero, most T) (T, error) {
	if value < 0 || value > most {
		return 0, fmt.Errorf("config field %s is %v: it must be between 0 and %v, and 0 means the default", name, value, most)
	}
	if value == 0 {
		return ifZero, nil
	}
	return value, nil
}
