package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
)

// ended is a token that comes while a revocation list is in force: the file main.revoked beside the key set, as text. Want is
// as that of an attack.
type ended struct {
	Class string `json:"class"`
	Name  string `json:"name"`
	List  string `json:"list"`
	Token string `json:"token"`
	Want  string `json:"want"`
}

// entry is a value that a list names, and up to when its tokens ended, in seconds since 1970.
type entry struct {
	claim, value string
	before       int
}

// list writes a revocation list with a clock skew of half a minute, which is shorter than that of the verifier.
func list(allBefore int, entries ...entry) string {
	digests := map[string]int{}
	for _, e := range entries {
		sum := sha256.Sum256([]byte(e.claim + ":" + e.value))
		digests[encode(string(sum[:]))[:22]] = e.before
	}
	return fmt.Sprintf(`{"version":1,"keyIDs":[],"clockSkewSeconds":30,"allBefore":%d,"ended":%s}`, allBefore, must(json.Marshal(digests)))
}

// later is a time that no token of the corpus reaches.
const later = now + 3600

func (b *builder) endedEarly() {
	const class = "ended early"
	add := func(name, list, claims, want string) {
		b.ended = append(b.ended, ended{class, name, list, b.keys.ec.sign(goodHeader, claims), want})
	}
	claims := func(old, updated string) string { return swap(goodClaims, old, updated) }
	const id, issued = `"jti":"id-1"`, `"iat":1800000000,`
	one, nobody := list(0, entry{"jti", "id-1", later}), list(0, entry{"sub", "nobody", now})
	full := make([]entry, 2000)
	for i := range full {
		full[i] = entry{"sub", fmt.Sprintf("user-%d", i), now}
	}

	add("a token", one, goodClaims, "revoked")
	add("another token", one, claims("id-1", "id-2"), "ok")
	add("a jti with a space behind", one, claims("id-1", "id-1 "), "ok")
	add("a jti in another case", one, claims("id-1", "ID-1"), "ok")
	add("a jti as an escape", one, claims(`"id-1"`, `"\u0069d-1"`), "revoked")
	b.ended = append(b.ended, ended{
		class, "another jti, forged", one, b.keys.attacker.sign(goodHeader, claims("id-1", "id-2")), "bad_signature",
	})
	add("a jti in a list of subjects", list(0, entry{"sub", "id-1", later}), goodClaims, "ok")
	add("no jti", nobody, claims(id+",", ""), "revoked")
	add("no iat", nobody, claims(issued, ""), "revoked")
	add("no iat, an auth_time", nobody, claims(issued, `"auth_time":1800000000,`), "ok")
	add("neither jti nor iat, and an empty list", list(0), swap(claims(id+",", ""), issued, ""), "ok")
	add("a session", list(0, entry{"sid", "s-1", later}), claims(id, id+`,"sid":"s-1"`), "revoked")
	add("another session", list(0, entry{"sid", "s-1", later}), claims(id, id+`,"sid":"s-2"`), "ok")
	add("a subject", list(0, entry{"sub", "alice", now - 30}), goodClaims, "revoked")
	add("a subject, a second after", list(0, entry{"sub", "alice", now - 31}), goodClaims, "ok")
	add("a subject in another case", list(0, entry{"sub", "alice", later}), claims("alice", "Alice"), "ok")
	add("a subject with a space behind", list(0, entry{"sub", "alice", later}), claims("alice", "alice "), "ok")
	add("a client", list(0, entry{"client_id", "web", now}), goodClaims, "revoked")
	add("a client of the name of the subject", list(0, entry{"client_id", "alice", later}), goodClaims, "ok")
	add("a new token of an old login", list(0, entry{"sub", "alice", now - 100}), claims(id, id+`,"auth_time":1799999900`), "revoked")
	add("an auth_time that is no date", nobody, claims(id, id+`,"auth_time":"2026-11-26"`), "revoked")
	add("an auth_time with a fraction", nobody, claims(id, id+`,"auth_time":1799999900.5`), "revoked")
	add("everything", list(now-30), goodClaims, "revoked")
	add("everything, a second after", list(now-31), goodClaims, "ok")
	add("2,000 values, and none of this token", list(0, full...), goodClaims, "ok")
	add("2,000 values, and the last is its subject", list(0, full...), claims("alice", "user-1999"), "revoked")
	const expired = `1799999970,"iat":1799999000,"nbf":1799999000`
	add("past its exp by the skew of the list", list(0), claims(`1800000600,"iat":1800000000,"nbf":1800000000`, expired), "expired")
}

func (b *builder) brokenLists() {
	const class = "revocation lists"
	good := list(now, entry{"sub", "alice", now})
	name := good[strings.Index(good, `"ended":{"`)+len(`"ended":{"`):][:22]
	for _, broken := range [][2]string{
		{"half written", good[:len(good)/2]},
		{"empty", ""},
		{"a list", "[" + good + "]"},
		{"text behind", good + good},
		{"no version", swap(good, `"version":1,`, "")},
		{"another version", swap(good, `"version":1`, `"version":2`)},
		{"ended twice", swap(good, "{", `{"ended":{},`)},
		{"ended null", good[:strings.Index(good, `"ended":`)] + `"ended":null}`},
		{"an entry twice", swap(good, `"ended":{`, `"ended":{"`+name+`":1,`)},
		{"a name of 21 characters", swap(good, name, name[1:])},
		{"a name of 23 characters", swap(good, name, name+"A")},
		{"a name that is no base64url", swap(good, name, "+"+name[1:])},
		{"a name with line breaks", swap(good, name, name[:11]+`\n\n`+name[13:])},
		{"a time in words", swap(good, `"allBefore":1800000000`, `"allBefore":"1800000000"`)},
		{"a time before 1970", swap(good, `"allBefore":1800000000`, `"allBefore":-1`)},
		{"a time that overflows", swap(good, `"allBefore":1800000000`, `"allBefore":9223372036854775807`)},
		{"an entry of 0", swap(good, name+`":1800000000`, name+`":0`)},
		{"a skew of days", swap(good, `Seconds":30`, `Seconds":86400`)},
		{"a key set", string(must(json.Marshal(b.keys.set())))},
		{"deep", strings.Repeat(`{"ended":`, 100)},
	} {
		b.lists = append(b.lists, keySets{class, broken[0], broken[1]})
	}
}
