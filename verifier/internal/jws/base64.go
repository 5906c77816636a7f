package jws

import (
	"bytes"
	"encoding/base64"
)

// DecodeBase64 decodes base64url without padding, of which there is one text for each value.
func DecodeBase64(text string) ([]byte, error) { return AppendBase64(nil, []byte(text)) }

// AppendBase64 is DecodeBase64 into a buffer. encoding/base64 skips line breaks, also when strict.
func AppendBase64(into, text []byte) ([]byte, error) {
	for _, skipped := range [...]byte{'\r', '\n'} {
		if at := bytes.IndexByte(text, skipped); at >= 0 {
			return nil, base64.CorruptInputError(at)
		}
	}
	return base64.RawURLEncoding.Strict().AppendDecode(into, text)
}
