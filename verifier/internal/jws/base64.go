package jws

import (
	"bytes"
	"encoding/base64"
)

// DecodeBase64 decodes canonical base64url without padding.
func DecodeBase64(text string) ([]byte, error) { return AppendBase64(nil, []byte(text)) }

// AppendBase64 is like DecodeBase64, and appends to a buffer. It rejects line breaks, which encoding/base64 skips
// even in strict mode.
func AppendBase64(into, text []byte) ([]byte, error) {
	for _, skipped := range [...]byte{'\r', '\n'} {
		if at := bytes.IndexByte(text, skipped); at >= 0 {
			return nil, base64.CorruptInputError(at)
		}
	}
	return base64.RawURLEncoding.Strict().AppendDecode(into, text)
}
