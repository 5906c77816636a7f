package verifier

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
)

// The defaults and bounds of Config.
const (
	defaultType          = "at+jwt"
	defaultClockSkew     = time.Minute
	maxClockSkew         = time.Hour
	defaultMaxTokenBytes = 8 << 10
	defaultPollInterval  = time.Second
	maxPollInterval      = time.Minute
)

// Config says which tokens a Verifier accepts. Issuer, Audience and KeySetFile have no default: a Verifier without them
// would accept what it should not.
type Config struct {
	// Issuer is the iss that tokens must have, exactly.
	Issuer string
	// Audience is the name of this service, which must be in the aud of tokens, exactly.
	Audience string
	// KeySetFile is the file with the keys of Issuer, for example /var/run/keywright/jwks/main.json. It is one file:
	// keys of a whole directory would let each of its owners sign for every issuer.
	KeySetFile string
	// Type is the typ that tokens must have, at+jwt (RFC 9068 section 2.1) if empty. Case does not count, and
	// application/ may stand before it, here and there.
	Type string
	// ClockSkew is by how much exp, nbf and iat may be off in favour of a token, 1m if zero, at most 1h.
	ClockSkew time.Duration
	// MaxTokenBytes is the longest token that is looked at, 8192 bytes if zero, at most 65536.
	MaxTokenBytes int
	// PollInterval is the time between two looks at KeySetFile, 1s if zero, at most 1m: so long may a revoked key be
	// trusted after its file was replaced.
	PollInterval time.Duration
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Logger hears of loaded key sets and of files that cannot be read, slog.Default() if nil. At debug level it hears
	// why Middleware refused a token; no level hears any part of one.
	Logger *slog.Logger
	// Observer hears of each token and of each read of the file, for metrics. Nobody does if it is nil.
	Observer Observer
}

// complete checks a Config and fills in its defaults.
func (c Config) complete() (Config, error) {
	for _, field := range []struct{ name, value string }{
		{"Issuer", c.Issuer}, {"Audience", c.Audience}, {"KeySetFile", c.KeySetFile},
	} {
		if strings.TrimSpace(field.value) == "" {
			return c, fmt.Errorf("config field %s is empty: it is mandatory", field.name)
		}
	}
	if c.Type == "" {
		c.Type = defaultType
	}
	// The letters are checked before they change: some outside ASCII are ASCII in lower case.
	notInType := func(r rune) bool { return r <= ' ' || r > unicode.MaxASCII }
	mediaType := strings.TrimPrefix(strings.ToLower(c.Type), "application/")
	if strings.ContainsFunc(c.Type, notInType) || mediaType == "" || strings.Contains(mediaType, "/") {
		return c, errors.New("config field Type is not a media type such as at+jwt")
	}
	c.Type = mediaType
	var err error
	if c.ClockSkew, err = bounded("ClockSkew", c.ClockSkew, defaultClockSkew, maxClockSkew); err != nil {
		return c, err
	}
	if c.PollInterval, err = bounded("PollInterval", c.PollInterval, defaultPollInterval, maxPollInterval); err != nil {
		return c, err
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

// bounded returns the value of a field, or its default if it is zero.
func bounded[T int | time.Duration](name string, value, ifZero, most T) (T, error) {
	if value < 0 || value > most {
		return 0, fmt.Errorf("config field %s is %v: it must be from 0, which means %v, to %v", name, value, ifZero, most)
	}
	if value == 0 {
		return ifZero, nil
	}
	return value, nil
}
