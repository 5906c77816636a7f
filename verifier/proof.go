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

// Proof says which tokens must come with a proof that their sender holds the key that they are bound to.
type Proof int

const (
	// Bearer accepts bearer tokens, and tokens that are bound to the TLS client certificate of the request (RFC 8705 section 3).
	// A token that is bound to a key is refused.
	Bearer Proof = iota
	// DPoPOptional accepts, beside those, tokens that are bound to a key, with a DPoP proof (RFC 9449 section 7). A bound token
	// without a proof is refused.
	DPoPOptional
	// DPoPRequired accepts nothing but tokens that are bound to a key, with a DPoP proof.
	DPoPRequired
)

const (
	// proofWindow is by how much iat of a proof may be off, in both directions, and so half of how long it can be replayed.
	proofWindow = time.Minute
	// replayCapacity is how many proofs are remembered at once. That is the most that 5.3 MB hold, and more than come in two
	// minutes at 100,000 a minute.
	replayCapacity = 229_376
	// warnPause is how long the log is silent about a full memory.
	warnPause = time.Minute
)

// sender checks that requests come from the owner of the token.
type sender struct {
	proof      Proof
	baseURL    string
	requestURL func(*http.Request) string
	keys       *dpop.Keys // nil for Bearer, as is replays
	replays    *dpop.Replays
	warned     atomic.Int64
}

func newSender(config Config) *sender {
	s := &sender{proof: config.Proof, baseURL: strings.TrimRight(config.BaseURL, "/"), requestURL: config.RequestURL}
	if s.proof != Bearer {
		s.keys, s.replays = dpop.NewKeys(), dpop.NewReplays(replayCapacity)
	}
	return s
}

// checkProof checks what a Config says of proofs.
func (c Config) checkProof() error {
	if c.Proof < Bearer || c.Proof > DPoPRequired {
		return fmt.Errorf("config field Proof is %d: it must be Bearer, DPoPOptional or DPoPRequired", c.Proof)
	}
	if c.BaseURL != "" {
		base, err := url.Parse(c.BaseURL)
		if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.User != nil ||
			strings.ContainsAny(c.BaseURL, "?#") {
			return errors.New("config field BaseURL is not a URL such as https://orders.example.com, without query and fragment")
		}
	}
	if c.Proof != Bearer && (c.BaseURL == "") == (c.RequestURL == nil) {
		return errors.New("config field BaseURL or RequestURL, and not both, is mandatory with DPoP: " +
			"a proof is for one URL, and which one a client has used cannot be learnt from its request")
	}
	return nil
}

// invalidProof is the refusal of a proof, and not of the token.
type invalidProof struct{ cause error }

func (e *invalidProof) Error() string   { return ErrProof.Error() + ": " + e.cause.Error() }
func (e *invalidProof) Unwrap() []error { return []error{ErrProof, e.cause} }

// Why a token is not accepted from its sender, made once.
var (
	errNoProof       = fmt.Errorf("%w: the token is bound to a key, and came without a proof, as a bearer token", ErrProof)
	errNotBound      = fmt.Errorf("%w: the token is bound to no key, and only such tokens are accepted so", ErrProof)
	errOtherKey      = fmt.Errorf("%w: the token is bound to another key than that of the proof", ErrProof)
	errCertificate   = fmt.Errorf("%w: the token is bound to a certificate, and not to one that the client has used in TLS", ErrProof)
	errConfirmation  = fmt.Errorf("%w: the token is bound to something that is not known here", ErrProof)
	errProofDate     = &invalidProof{fmt.Errorf("its iat is more than %v off", proofWindow)}
	errOtherToken    = &invalidProof{errors.New("its ath is missing or that of another token")}
	errProofReplayed = &invalidProof{dpop.ErrReplayed}
)

// presented is how a token came: its text, the request, nil if there is none, and whether the scheme of its header was DPoP.
type presented struct {
	text    string
	request *http.Request
	dpop    bool
}

// confirm checks that a valid token comes from whom it was issued to.
func (v *Verifier) confirm(ctx context.Context, token *Token, as presented, now time.Time) error {
	bound := token.bound
	switch {
	case bound == nil && !as.dpop && v.sender.proof != DPoPRequired:
		return nil
	case bound == nil:
		return errNotBound
	case bound.unknown:
		return errConfirmation
	case bound.certificate != "" && !hasCertificate(as.request, bound.certificate):
		return errCertificate
	case bound.key == "" && (as.dpop || v.sender.proof == DPoPRequired):
		return errNotBound
	case bound.key == "":
		return nil
	case !as.dpop:
		return errNoProof
	}
	return v.confirmKey(ctx, bound.key, as, now)
}

// hasCertificate reports whether the client has shown in TLS that it holds a certificate (RFC 8705 section 3). Who signed it does not
// matter here.
func hasCertificate(r *http.Request, digest string) bool {
	if r == nil || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return names(digest, &sum)
}

// names reports whether a text is the base64url of a digest.
func names(text string, digest *[sha256.Size]byte) bool {
	var encoded [43]byte
	base64.RawURLEncoding.Encode(encoded[:], digest[:])
	return string(encoded[:]) == text
}

// confirmKey checks the proof of a request (RFC 9449 section 4.3). A proof is remembered last: what is refused takes no place.
func (v *Verifier) confirmKey(ctx context.Context, key string, as presented, now time.Time) error {
	proof, err := v.sender.keys.Check(as.request.Header.Values(dpop.Header), as.request.Method, v.sender.urlOf(as.request))
	if err != nil {
		return &invalidProof{err}
	}
	if age := now.Sub(proof.IssuedAt); age > proofWindow || age < -proofWindow {
		return errProofDate
	}
	var buffer [2 << 10]byte // spares most tokens a copy on the heap
	if sum := sha256.Sum256(append(buffer[:0], as.text...)); !names(proof.AccessTokenHash, &sum) {
		return errOtherToken
	}
	if proof.Thumbprint != key {
		return errOtherKey
	}
	err = v.sender.replays.Remember(proof, proof.IssuedAt.Add(proofWindow), now)
	switch {
	case errors.Is(err, dpop.ErrReplayed):
		return errProofReplayed
	case errors.Is(err, dpop.ErrFull):
		v.replaysFull(ctx, now)
	}
	return nil
}

// urlOf returns the URL that a client has used. The path is the one of the request line: a handler before this one may have cut what is
// in URL.
func (s *sender) urlOf(r *http.Request) string {
	if s.requestURL != nil {
		return s.requestURL(r)
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	return s.baseURL + path
}

// replaysFull lets the Observer and the log know that a proof was accepted that is not remembered.
func (v *Verifier) replaysFull(ctx context.Context, now time.Time) {
	if observer, ok := v.observer.(ReplayObserver); ok {
		observer.ReplaysFull()
	}
	last := v.sender.warned.Load()
	if pause := now.UnixNano() - last; last != 0 && pause >= 0 && pause < int64(warnPause) {
		return
	}
	if v.sender.warned.CompareAndSwap(last, now.UnixNano()) {
		v.logger.WarnContext(ctx, "proofs are accepted that are not remembered: more came in a minute than there is room for", "room", replayCapacity)
	}
}
