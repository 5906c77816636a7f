package token

// MaxDepth is the maximum nesting of objects and lists, including the claims set: the verifier accepts no more.
const MaxDepth = 32

// TooDeep reports whether a value that encoding/json decoded into an any exceeds MaxDepth.
func TooDeep(value any) bool { return isDeeper(value, MaxDepth) }

func isDeeper(value any, levels int) bool {
	switch v := value.(type) {
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, inner := range v {
			if isDeeper(inner, levels-1) {
				return true
			}
		}
	case []any:
		if levels == 0 {
			return true
		}
		for _, inner := range v {
			if isDeeper(inner, levels-1) {
				return true
			}
		}
	}
	return false
}
