package oauth2

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
)

const (
	// maxForm limits the body of a token request, in bytes.
	maxForm = 16 << 10
	// maxParameters limits the number of parameters of a token request.
	maxParameters = 32
)

// assertionType is the client_assertion_type of private_key_jwt (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenRequest is a well-formed token request. Missing and empty parameters are "".
type tokenRequest struct {
	grantType string
	clientID  string
	// At most one of secret and assertion is set.
	secret             string
	assertion          *jwtverify.Unverified
	username, password string
	scopes             []string
	// resources and audiences are the requested audiences (RFC 8707 section 2, RFC 8693 section 2.1).
	resources, audiences []string
	subject              subjectToken
	// refreshToken is that of a session (RFC 6749 section 6).
	refreshToken string
}

// readRequest reads the parameters of a token request from its body only (RFC 6749 section 3.2), because URLs are
// logged.
func readRequest(w http.ResponseWriter, r *http.Request) (*tokenRequest, *Error) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("parameters belong in the body, not in the URL")
	}
	if !isForm(r.Header.Get("Content-Type")) {
		return nil, invalidRequest("the body must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &Error{status: http.StatusRequestEntityTooLarge, Code: "invalid_request", description: "the body is longer than 16 KiB"}
	} else if err != nil {
		return nil, invalidRequest("the body could not be read")
	}
	return parseRequest(string(body), r.Header.Values("Authorization"))
}

func isForm(contentType string) bool {
	const form = "application/x-www-form-urlencoded"
	if contentType == form { // the usual content type
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == form
}

// parseRequest parses a form and the Authorization headers.
func parseRequest(body string, authorization []string) (*tokenRequest, *Error) {
	form, refused := parseForm(body)
	if refused != nil {
		return nil, refused
	}
	req := &tokenRequest{
		grantType: form.Get("grant_type"), clientID: form.Get("client_id"), secret: form.Get("client_secret"),
		username: form.Get("username"), password: form.Get("password"), scopes: strings.Fields(form.Get("scope")),
		refreshToken: form.Get("refresh_token"), resources: form["resource"], audiences: form["audience"],
		subject: subjectToken{
			token: form.Get("subject_token"), kind: form.Get("subject_token_type"),
			requested: form.Get("requested_token_type"), actor: form.Get("actor_token"), actorType: form.Get("actor_token_type"),
		},
	}
	if req.grantType == "" {
		return nil, invalidRequest("grant_type is missing")
	}
	if refused := req.authorize(form, authorization); refused != nil {
		return nil, refused
	}
	if req.clientID == "" {
		return nil, invalidRequest("client_id is missing")
	}
	if req.grantType == config.Password && (req.username == "" || req.password == "") {
		return nil, invalidRequest("username and password are required")
	}
	return req, nil
}

// parseForm parses a form. Empty parameters are omitted, and none may be repeated (RFC 6749 section 3.2), except
// those whose RFCs allow it.
func parseForm(body string) (url.Values, *Error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, invalidRequest("there are too many parameters")
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, invalidRequest("the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return nil, invalidRequest("a parameter is repeated") // the name may be anything, so it is not quoted
		}
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(values, "")) {
			return nil, invalidRequest("the body is not UTF-8")
		}
		if len(values) == 1 && values[0] == "" {
			delete(form, name)
		}
	}
	return form, nil
}

// authorize sets the client credentials. A request must not use two methods (RFC 6749 section 2.3).
func (req *tokenRequest) authorize(form url.Values, authorization []string) *Error {
	assertion, kind := form.Get("client_assertion"), form.Get("client_assertion_type")
	methods := len(authorization)
	if req.secret != "" {
		methods++
	}
	if assertion != "" || kind != "" {
		methods++
	}
	switch {
	case methods > 1:
		return invalidRequest("use only one method of client authentication")
	case len(authorization) == 1:
		return req.basic(authorization[0])
	case assertion == "" && kind == "":
		return nil
	case assertion == "" || kind != assertionType:
		return invalidRequest("client_assertion and client_assertion_type must be sent together; the type is " + assertionType)
	}
	parsed, err := jwtverify.Parse(assertion)
	if err != nil {
		return invalidClient("the assertion is refused: " + err.Error())
	}
	req.assertion = parsed
	if req.clientID == "" { // optional by RFC 7521 section 4.2
		req.clientID = parsed.Subject()
		if req.clientID == "" {
			return invalidClient("the assertion has no sub")
		}
	}
	return nil
}

// basic parses client_secret_basic (RFC 6749 section 2.3.1), whose user ID and password are form-encoded.
func (req *tokenRequest) basic(authorization string) *Error {
	probe := http.Request{Header: http.Header{"Authorization": {authorization}}}
	user, password, ok := probe.BasicAuth()
	if !ok {
		return invalidClient("the Authorization header is not Basic")
	}
	id, err := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(password)
	if err != nil || err2 != nil || !utf8.ValidString(id) || id == "" {
		return invalidClient("client_id or secret in the Authorization header is empty or not form-encoded")
	}
	if req.clientID != "" && req.clientID != id {
		return invalidRequest("client_id differs from the authenticated client")
	}
	req.clientID, req.secret = id, secret
	return nil
}
