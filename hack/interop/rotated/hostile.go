package rotated

import "encoding/base64"

// hostile are tokens whose header or payload anybody can send: they have other types than an example may count on. Each is refused as any other
// token that is not valid, by an error that the example's page names: not by a fault of the program, which a service would answer with 500.
func (w *World) hostile() map[string]string {
	w.t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	parts := segments(w.Token())
	all := map[string]string{
		"four parts": w.Token() + ".e30", "one part": parts[0], "a header that is not base64url": "{}." + parts[1] + "." + parts[2],
	}
	kid := `,"kid":"` + w.KeyID() + `"}`
	for name, header := range map[string]string{
		"a typ that is a number":       `{"alg":"` + w.policy.Algorithm + `","typ":1` + kid,
		"a typ that is a list":         `{"alg":"` + w.policy.Algorithm + `","typ":["at+jwt"]` + kid,
		"a typ that is null":           `{"alg":"` + w.policy.Algorithm + `","typ":null` + kid,
		"a kid that is a number":       `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt","kid":1}`,
		"a kid that is a list":         `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt","kid":["a"]}`,
		"a kid that is an object":      `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt","kid":{}}`,
		"no kid":                       `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt"}`,
		"an alg that is a number":      `{"alg":1,"typ":"at+jwt"` + kid,
		"an alg that is a list":        `{"alg":["` + w.policy.Algorithm + `"],"typ":"at+jwt"` + kid,
		"no alg":                       `{"typ":"at+jwt"` + kid,
		"crit":                         `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt","crit":["exp"]` + kid,
		"a crit that is a number":      `{"alg":"` + w.policy.Algorithm + `","typ":"at+jwt","crit":1` + kid,
		"a header that is a list":      `[]`,
		"a header that is a number":    `1`,
		"a header that is null":        `null`,
		"a header that is a text":      `"at+jwt"`,
		"an empty header":              `{}`,
		"half a header":                `{"alg":"` + w.policy.Algorithm,
		"a header that is not UTF-8":   "{\"alg\":\"\xff\"}",
		"a header that is deep inside": nested(),
	} {
		all[name] = encode([]byte(header)) + "." + parts[1] + "." + parts[2]
	}
	for name, payload := range map[string]string{"claims that are a list": `[]`, "claims that are null": `null`, "half the claims": `{"sub":`, "no claims": ``} {
		all[name] = parts[0] + "." + encode([]byte(payload)) + "." + parts[2]
	}
	return all
}

// nested is JSON that is deeper than some parsers follow.
func nested() string {
	const depth = 2000
	b := make([]byte, 0, 2*depth)
	for range depth {
		b = append(b, '[')
	}
	for range depth {
		b = append(b, ']')
	}
	return string(b)
}
