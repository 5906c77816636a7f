package verifier

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/verifier/dpop"
)

// Proof configures which tokens must be sender-constrained by a proof of possession.
type Proof int

const (
	// Bearer accepts bearer tokens, and tokens that are bound to the TLS client certificate of the request (RFC 8705
	// section 3). Tokens that are bound to a key are rejected.
	Bearer Proof = iota
	// DPoPOptional also accepts tokens that are bound to a key, with a DPoP proof (RFC 9449 section 7). A bound token
	// without a proof is rejected.
	DPoPOptional
	// DPoPRequired accepts only tokens that are bound to a key, with a DPoP proof.
	DPoPRequired
)

const (
	// proofWindow is the tolerance for the iat of a proof, in both directions. A proof can be replayed for twice this
	// time.
	proofWindow = time.Minute
	// replayCapacity is the maximum number of stored proofs, in 5.3 MB: more than arrive in two minutes at 100,000
	// per minute.
	replayCapacity = 229_376
	// warnPause is the minimum interval between two log messages about a full replay cache.
	warnPause = time.Minute
)

// senderVerifier verifies that a request comes from the owner of its token.
type senderVerifier struct {
	proof      Proof
	baseURL    string
	requestURL func(*http.Request) string
	keys       *dpop.Keys // nil for Bearer, like replays
	replays    *dpop.Replays
	warned     atomic.Int64
}

func newSenderVerifier(config Config) *senderVerifier {
	s := &senderVerifier{proof: config.Proof, baseURL: strings.TrimRight(config.BaseURL, "/"), requestURL: config.RequestURL}
	if s.proof != Bearer {
		s.keys, s.replays = dpop.NewKeys(), dpop.NewReplays(replayCapacity)
	}
	return s
}

// checkProof validates the fields of a Config about proofs.
func (c Config) checkProof() error {
	if c.Proof < Bearer || c.Proof > DPoPRequired {
		return fmt.Errorf("config field Proof is %d: it must be Bearer, DPoPOptional or DPoPRequired", c.Proof)
	}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.User != nil ||
			strings.ContainsAny(c.BaseURL, "?#") {
			return errors.New("config field BaseURL must be a URL such as https://orders.example.com, without query and fragment")
		}
	}
	if c.Proof != Bearer && (c.BaseURL == "") == (c.RequestURL == nil) {
		return errors.New("config field BaseURL or RequestURL, and not both, is mandatory with DPoP: " +
			"a request does not reliably contain the URL that the client used, which its proof names")
	}
	return nil
}

// invalidProof is an error of the proof, as opposed to the token.
type invalidProof struct{ cause error }

func (e *invalidProof) Error() string   { return ErrProof.Error() + ": " + e.cause.Error() }
func (e *invalidProof) Unwrap() []error { return []error{ErrProof, e.cause} }

// Errors of sender verification, allocated once.
var (
	errNoProof       = fmt.Errorf("%w: the token is bound to a key, but was sent as a bearer token, without a proof", ErrProof)
	errNotBound      = fmt.Errorf("%w: the token was sent with the scheme DPoP, but is not bound to a key", ErrProof)
	errOtherKey      = fmt.Errorf("%w: the token is bound to a key other than the key of the proof", ErrProof)
	errCertificate   = fmt.Errorf("%w: the token is bound to a certificate that the client did not use in TLS", ErrProof)
	errConfirmation  = fmt.Errorf("%w: the cnf of the token has an unknown member", ErrProof)
	errProofDate     = &invalidProof{fmt.Errorf("its iat differs from the current time by more than %v", proofWindow)}
	errOtherToken    = &invalidProof{errors.New("its ath is missing or does not match the token")}
	errProofReplayed = &invalidProof{dpop.ErrReplayed}
)

// credentials is a token with the request that it came with, or nil. dpop reports whether the authentication scheme
// was DPoP.
type credentials struct {
	token   string
	request *http.Request
	dpop    bool
}

// verifySender verifies that the sender of a valid token is its owner.
func (v *Verifier) verifySender(ctx context.Context, token *Token, sent credentials, now time.Time) error {
	bound := token.bound
	switch {
	case bound == nil && !sent.dpop && v.senderVerifier.proof != DPoPRequired:
		return nil
	case bound == nil:
		return errNotBound
	case bound.unknown:
		return errConfirmation
	case bound.certificate != "" && !hasCertificate(sent.request, bound.certificate):
		return errCertificate
	case bound.key == "" && (sent.dpop || v.senderVerifier.proof == DPoPRequired):
		return errNotBound
	case bound.key == "":
		return nil
	case !sent.dpop:
		return errNoProof
	}
	return v.verifyProof(ctx, bound.key, sent, now)
}

// hasCertificate reports whether the TLS client certificate has this digest (RFC 8705 section 3). The issuer of the
// certificate does not matter.
func hasCertificate(r *http.Request, digest string) bool {
	if r == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return matchesDigest(digest, &sum)
}

// matchesDigest reports whether text is the base64url encoding of a digest.
func matchesDigest(text string, digest *[sha256.Size]byte) bool {
	var encoded [43]byte
	base64.RawURLEncoding.Encode(encoded[:], digest[:])
	return string(encoded[:]) == text
}

// verifyProof verifies the proof of a request (RFC 9449 section 4.3). It stores the proof last, so that an invalid
// one takes no space.
func (v *Verifier) verifyProof(ctx context.Context, key string, sent credentials, now time.Time) error {
	proof, err := v.senderVerifier.keys.Check(sent.request.Header.Values(dpop.Header), sent.request.Method, v.senderVerifier.urlOf(sent.request))
	if err != nil {
		return &invalidProof{err}
	}
	if age := now.Sub(proof.IssuedAt); age > proofWindow || age < -proofWindow {
		return errProofDate
	}
	var buffer [2 << 10]byte // avoids a heap allocation for most tokens
	if sum := sha256.Sum256(append(buffer[:0], sent.token...)); !matchesDigest(proof.AccessTokenHash, &sum) {
		return errOtherToken
	}
	if proof.Thumbprint != key {
		return errOtherKey
	}
	err = v.senderVerifier.replays.Remember(proof, proof.IssuedAt.Add(proofWindow), now)
	switch {
	case errors.Is(err, dpop.ErrReplayed):
		return errProofReplayed
	case errors.Is(err, dpop.ErrFull):
		v.replaysFull(ctx, now)
	}
	return nil
}

// urlOf returns the external URL of a request. It uses the path of the request line, because an outer handler may
// have stripped a prefix from r.URL.
func (s *senderVerifier) urlOf(r *http.Request) string {
	if s.requestURL != nil {
		return s.requestURL(r)
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	return s.baseURL + path
}

// replaysFull notifies the Observer and the log that a proof was accepted without being stored.
func (v *Verifier) replaysFull(ctx context.Context, now time.Time) {
	if observer, ok := v.observer.(ReplayObserver); ok {
		observer.ReplaysFull()
	}
	last := v.senderVerifier.warned.Load()
	if pause := now.UnixNano() - last; last != 0 && pause >= 0 && pause < int64(warnPause) {
		return
	}
	if v.senderVerifier.warned.CompareAndSwap(last, now.UnixNano()) {
		v.logger.WarnContext(ctx, "the memory of DPoP proofs is full: further proofs are accepted, but their replay is not detected", "room", replayCapacity)
	}
}
