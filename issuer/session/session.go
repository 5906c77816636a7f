package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

// MaxBytes bounds a refresh token.
const MaxBytes = 2 << 10

// Session is what a refresh token says of the login that began it.
type Session struct {
	// ID is the sid of its access tokens.
	ID string
	// Subject is the sub, and Username the name that the user is looked up by.
	Subject, Username string
	// ClientID is the client that the token is for, and no other.
	ClientID string
	// Scopes and Audiences are what was granted at the login: later tokens have no more.
	Scopes, Audiences []string
	// AuthenticatedAt is when the user logged in, and End when tokens can be got no longer.
	AuthenticatedAt, End time.Time
	// Expiry is that of this refresh token.
	Expiry time.Time
	// Thumbprint is that of the key that a proof must be made with, empty if the authentication of the client binds the token.
	Thumbprint string
	// Credential changes when the password of the user does.
	Credential string
}

// sealed is a Session in JSON, in the terms of RFC 7519 and RFC 9068 where they have one. Times are in seconds since 1970.
type sealed struct {
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
	// ErrInvalid means that the text is no refresh token, or that the key that sealed it is gone.
	ErrInvalid = errors.New("not a refresh token, or sealed with a key that is gone")
	// ErrNewerKey means that the token is sealed with a key that has not arrived here yet.
	ErrNewerKey = errors.New("sealed with a key that is not here yet")
	// ErrTooLong means that a refresh token would be longer than MaxBytes.
	ErrTooLong = fmt.Errorf("the refresh token would be longer than %d bytes", MaxBytes)
)

// Seal returns the refresh token of a session.
func Seal(key issuerfiles.SealingKey, s Session) (string, error) {
	payload, err := json.Marshal(sealed{
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

// Open returns the session of a refresh token. The caller checks the times, the client, the user, and the proof. The error is ErrInvalid or
// ErrNewerKey.
func Open(keys issuerfiles.SealingKeys, compact string) (Session, error) {
	payload, err := decrypt(keys, compact)
	if err != nil {
		return Session{}, err
	}
	var s sealed
	if err := json.Unmarshal(payload, &s); err != nil {
		return Session{}, ErrInvalid
	}
	return Session{
		ID: s.ID, Subject: s.Subject, Username: s.Username, ClientID: s.ClientID, Scopes: strings.Fields(s.Scope), Audiences: s.Audience,
		AuthenticatedAt: time.Unix(s.AuthTime, 0), End: time.Unix(s.End, 0), Expiry: time.Unix(s.Expiry, 0),
		Thumbprint: s.Thumbprint, Credential: s.Credential,
	}, nil
}
