package oauth2

import "testing"

func FuzzParseRequest(f *testing.F) {
	f.Add("grant_type=password&client_id=web&username=alice&password=x&scope=read", "")
	f.Add("grant_type=client_credentials", "Basic YmF0Y2g6c2VjcmV0")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		var headers []string
		if authorization != "" {
			headers = []string{authorization}
		}
		req, refused := parseRequest(body, headers)
		switch {
		case (req == nil) == (refused == nil):
			t.Error("want either a request or a refusal")
		case refused != nil && (refused.Code == "" || refused.description == "" || refused.status < 400):
			t.Errorf("the refusal says %+v", refused)
		case req != nil && (req.grantType == "" || req.clientID == ""):
			t.Errorf("accepted %+v", req)
		}
	})
}
