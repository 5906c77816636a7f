package oauth2

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/limit"
	"github.com/keywright/keywright/issuer/login"
)

const (
	// OtherGrant stands for what is no grant type, in metrics and the audit log.
	OtherGrant = "other"
	// IssuedResult is the result of a request that got a token.
	IssuedResult = "issued"
)

// Places bound the requests at a time. Each method reports false when too many are there already.
type Places interface {
	// Read takes a place for a body that is read.
	Read(r *http.Request, remote netip.Addr) (leave func(), ok bool)
	// Answer takes a place for a request of a grant type, once it was read.
	Answer(grant string, remote netip.Addr) (leave func(), ok bool)
}

// Options are what an endpoint needs.
type Options struct {
	Now func() time.Time
	// Log is for the person on call.
	Log *slog.Logger
	// Audit gets one line per request.
	Audit io.Writer
	// Config and Keys return what is in use now. Keys reports false while none was mounted.
	Config    func() (*config.Config, bool)
	Keys      func() (*keys.Snapshot, bool)
	Directory login.Directory
	// Trusted has the keys of the trusted issuers, by name.
	Trusted map[string]*jwtverify.KeySet
	Places  Places
	// Remote returns the address of the client.
	Remote func(*http.Request, *config.Server) netip.Addr
	// Answered is told of each answer before it is sent.
	Answered func(grant, result string, took time.Duration)
}

// Endpoint is the token endpoint (RFC 6749 section 3.2).
type Endpoint struct {
	Options
	audit    audit
	failures *limit.Failures
	// clientFailures are those of client secrets.
	clientFailures *limit.Failures
	replays        *jwtverify.Replays
}

// New returns an endpoint that limits failed logins and wrong client secrets alike.
func New(o Options, limits config.Login) *Endpoint {
	each := limit.Rate{Burst: limits.FailuresPerUser.Burst, Every: time.Duration(limits.FailuresPerUser.Every)}
	all := limit.Rate{Burst: limits.FailuresPerNetwork.Burst, Every: time.Duration(limits.FailuresPerNetwork.Every)}
	return &Endpoint{
		Options: o, audit: audit{out: o.Audit, log: o.Log}, failures: limit.NewFailures(each, all), clientFailures: limit.NewFailures(each, all),
		replays: jwtverify.NewReplays(),
	}
}

// tooMany tells who comes when too many are there already to come again.
func tooMany() *Refusal { return Unavailable("too many requests at once", 1) }

// read reads a token request, if there is a place for one more body.
func (s *Endpoint) read(w http.ResponseWriter, r *http.Request, remote netip.Addr) (*tokenRequest, *Refusal) {
	leave, ok := s.Places.Read(r, remote)
	if !ok {
		return nil, tooMany()
	}
	defer leave()
	return readRequest(w, r)
}

// admit takes a place for what a request asks for.
func (s *Endpoint) admit(grant string, remote netip.Addr) (leave func(), refused *Refusal) {
	leave, ok := s.Places.Answer(grant, remote)
	if !ok {
		return nil, tooMany()
	}
	return leave, nil
}
