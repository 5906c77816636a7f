// Command attacks writes testdata/attacks.json: tokens, requests, key sets and revocation lists that no verifier of JWTs may accept, a case for each way
// in, and some that it must accept, so that refusing everything is no way to pass. docs/attacks.md explains the classes.
//
// Keys and signatures follow from constants, so that the same program writes the same file, and a change of either shows.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
)

// corpus is the file. A verifier for issuer and audience that trusts jwks must say of each token at the time now, in
// seconds since 1970, what its case says, with typ at+jwt and a clock skew of a minute.
type corpus struct {
	Comment  string    `json:"comment"`
	Issuer   string    `json:"issuer"`
	Audience string    `json:"audience"`
	Now      int64     `json:"now"`
	JWKS     any       `json:"jwks"`
	Tokens   []attack  `json:"tokens"`
	KeySets  []keySets `json:"keySets"`
	Ended    []ended   `json:"ended"`
	Lists    []keySets `json:"revocationLists"`
	Requests []request `json:"requests"`
}

// attack is one token. Want is ok, or the reason why it is refused, in the words of verifier.Observer.
type attack struct {
	Class string `json:"class"`
	Name  string `json:"name"`
	Token string `json:"token"`
	Want  string `json:"want"`
}

// keySets is one key set, or one revocation list, as text, that must be refused as a whole.
type keySets struct {
	Class string `json:"class"`
	Name  string `json:"name"`
	Text  string `json:"text"`
}

func main() {
	content, err := generate()
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", "attacks.json"), content, 0o600)
	}
	if err != nil {
		panic(err)
	}
}

func generate() ([]byte, error) {
	keys, err := newKeys()
	if err != nil {
		return nil, err
	}
	b := &builder{keys: keys}
	b.valid()
	b.algorithms()
	b.keyConfusion()
	b.headers()
	b.signatures()
	b.encodings()
	b.json()
	b.claims()
	b.keySets()
	b.endedEarly()
	b.brokenLists()
	b.boundTokens()
	b.proofs()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(corpus{
		Comment: "Written by verifier/internal/attacks; run `go generate` in verifier. The private keys follow from constants in that program.",
		Issuer:  issuer, Audience: audience, Now: now, JWKS: keys.set(), Tokens: b.tokens, KeySets: b.sets,
		Ended: b.ended, Lists: b.lists, Requests: b.requests,
	})
	return out.Bytes(), err
}
