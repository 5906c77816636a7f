package server

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/issuer/config"
)

// maxForm bounds the body of a token request, in bytes.
const maxForm = 16 << 10

// tokenRequest is a well-formed request to the token endpoint.
type tokenRequest struct {
	grant              string
	clientID           string
	secret             string
	hasSecret          bool
	username, password string
	scopes             []string
}

// readRequest reads the parameters of a token request from its body alone (RFC 6749 section 3.2): parameters of the URL
// end up in logs.
func readRequest(w http.ResponseWriter, r *http.Request) (*tokenRequest, *refusal) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("parameters belong into the body, not into the URL")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: "invalid_request", description: "the body is longer than 16 KiB"}
	} else if err != nil {
		return nil, invalidRequest("the body could not be read")
	}
	return parseRequest(string(body), r.Header.Values("Authorization"))
}

// parseRequest makes sense of a form and of the Authorization headers.
func parseRequest(body string, authorization []string) (*tokenRequest, *refusal) {
	form, err := url.ParseQuery(body)
	if err != nil || !utf8.ValidString(body) {
		return nil, invalidRequest("the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, invalidRequest("a parameter is repeated") // its name could be anything
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, invalidRequest("the body is not UTF-8")
		}
	}
	req := &tokenRequest{
		grant: form.Get("grant_type"), clientID: form.Get("client_id"), secret: form.Get("client_secret"),
		hasSecret: form.Has("client_secret"), username: form.Get("username"), password: form.Get("password"),
		scopes: strings.Fields(form.Get("scope")),
	}
	if req.grant == "" {
		return nil, invalidRequest("grant_type is missing")
	}
	if refused := req.authorize(authorization); refused != nil {
		return nil, refused
	}
	if req.clientID == "" {
		return nil, invalidRequest("client_id is missing")
	}
	if req.grant == config.Password && (req.username == "" || req.password == "") {
		return nil, invalidRequest("username and password are needed")
	}
	return req, nil
}

// authorize takes client_secret_basic (RFC 6749 section 2.3.1): the user ID and the password are form-encoded first. A
// client must not use two methods at once (section 2.3).
func (req *tokenRequest) authorize(authorization []string) *refusal {
	if len(authorization) == 0 {
		return nil
	}
	if len(authorization) > 1 || req.hasSecret {
		return invalidRequest("use one method of client authentication")
	}
	probe := http.Request{Header: http.Header{"Authorization": authorization}}
	user, password, ok := probe.BasicAuth()
	if !ok {
		return invalidClient()
	}
	id, err := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(password)
	if err != nil || err2 != nil {
		return invalidClient()
	}
	if req.clientID != "" && req.clientID != id {
		return invalidRequest("client_id differs from the authenticated client")
	}
	req.clientID, req.secret, req.hasSecret = id, secret, true
	return nil
}
