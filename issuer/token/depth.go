package token

// MaxDepth is how deep objects and lists may be within each other, the claims themselves counted: our verifier accepts no more, and other
// readers that recurse have a limit too.
const MaxDepth = 32

// TooDeep reports whether a value, as encoding/json reads it into an any, has more levels than that.
func TooDeep(value any) bool { return deeper(value, MaxDepth) }

func deeper(value any, levels int) bool {
	switch v := value.(type) {
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, inner := range v {
			if deeper(inner, levels-1) {
				return true
			}
		}
	case []any:
		if levels == 0 {
			return true
		}
		for _, inner := range v {
			if deeper(inner, levels-1) {
				return true
			}
		}
	}
	return false
}
