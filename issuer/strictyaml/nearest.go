package strictyaml

import "strings"

// Nearest returns the known name that is most similar to name, or "" if none is similar. A similar name differs in
// few letters, or is a prefix or an extension of name. Case, hyphens and underscores are ignored.
func Nearest(name string, known []string) string {
	nearest, least := "", 0
	if len(name) > maxCompared {
		return ""
	}
	plain := simplified(name)
	for _, candidate := range known {
		other := simplified(candidate)
		away := distance(plain, other)
		begins := len(plain) >= 3 && (strings.HasPrefix(other, plain) || strings.HasPrefix(plain, other))
		if away > max(1, (len(plain)+2)/4) && !begins || away >= len(other) {
			continue
		}
		if nearest == "" || away < least {
			nearest, least = candidate, away
		}
	}
	return nearest
}

func simplified(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

// maxCompared limits the length of compared names in bytes, because the time is quadratic in it. No field is longer.
const maxCompared = 64

// distance returns the edit distance of two names: inserted, deleted, replaced and transposed letters.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			wrong := 1
			if a[i] == b[j] {
				wrong = 0
			}
			next[j+1] = min(last[j]+wrong, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
