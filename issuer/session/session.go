package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

// MaxBytes is the maximum length of a refresh token.
const MaxBytes = 2 << 10

// Session is the content of a refresh token.
type Session struct {
	// ID is the sid of the access tokens.
	ID string
	// Subject is the sub, and Username the name for lookups of the user.
	Subject, Username string
	// ClientID is the only client that may use the token.
	ClientID string
	// Scopes and Audiences were granted at the login. Later tokens have no others.
	Scopes, Audiences []string
	// AuthenticatedAt is the time of the login, and End the end of the session.
	AuthenticatedAt, End time.Time
	// Expiry is the expiry of this refresh token.
	Expiry time.Time
	// Thumbprint is that of the DPoP key that the token is bound to, or "" if client authentication binds it.
	Thumbprint string
	// Credential is a value that changes with the password of the user.
	Credential string
}

// sealedSession is the JSON form of a Session, with the claim names of RFC 7519 and RFC 9068 where they exist. Times
// are in seconds since 1970.
type sealedSession struct {
	ID         string   `json:"sid"`
	Subject    string   `json:"sub"`
	Username   string   `json:"username"`
	ClientID   string   `json:"client_id"`
	Scope      string   `json:"scope,omitempty"`
	Audience   []string `json:"aud"`
	AuthTime   int64    `json:"auth_time"`
	End        int64    `json:"end"`
	Expiry     int64    `json:"exp"`
	Thumbprint string   `json:"jkt,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// The errors of Open.
var (
	// ErrInvalid is returned for a text that is not a refresh token, or whose sealing key was removed.
	ErrInvalid = errors.New("not a refresh token, or its sealing key no longer exists")
	// ErrNewerKey is returned for a token whose sealing key has not been mounted yet.
	ErrNewerKey = errors.New("its sealing key has not reached this issuer yet")
	// ErrTooLong is returned if a refresh token would be longer than MaxBytes.
	ErrTooLong = fmt.Errorf("the refresh token would be longer than %d bytes", MaxBytes)
)

// Seal returns the refresh token of a session.
func Seal(key issuerfiles.SealingKey, s Session) (string, error) {
	payload, err := json.Marshal(sealedSession{
		ID: s.ID, Subject: s.Subject, Username: s.Username, ClientID: s.ClientID, Scope: strings.Join(s.Scopes, " "), Audience: s.Audiences,
		AuthTime: s.AuthenticatedAt.Unix(), End: s.End.Unix(), Expiry: s.Expiry.Unix(), Thumbprint: s.Thumbprint, Credential: s.Credential,
	})
	if err != nil {
		return "", err
	}
	compact, err := encrypt(key, payload)
	if err == nil && len(compact) > MaxBytes {
		return "", ErrTooLong
	}
	return compact, err
}

// Open returns the session of a refresh token. The caller checks the times, the client, the user and the proof. The
// error is ErrInvalid or ErrNewerKey.
func Open(keys issuerfiles.SealingKeys, compact string) (Session, error) {
	payload, err := decrypt(keys, compact)
	if err != nil {
		return Session{}, err
	}
	var s sealedSession
	if err := json.Unmarshal(payload, &s); err != nil {
		return Session{}, ErrInvalid
	}
	return Session{
		ID: s.ID, Subject: s.Subject, Username: s.Username, ClientID: s.ClientID, Scopes: strings.Fields(s.Scope), Audiences: s.Audience,
		AuthenticatedAt: time.Unix(s.AuthTime, 0), End: time.Unix(s.End, 0), Expiry: time.Unix(s.Expiry, 0),
		Thumbprint: s.Thumbprint, Credential: s.Credential,
	}, nil
}
