package oauth2

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

// A line is JSON whatever stands in it, and one that cannot be written is told to the person on call.
func TestAuditLines(t *testing.T) {
	var out, log bytes.Buffer
	a := audit{out: &out, log: slog.New(slog.NewJSONHandler(&log, nil))}
	subject := "a\"b\\c\nd\u2028<e>"
	a.write(t.Context(), &record{Grant: "password", Subject: subject, Remote: netip.MustParseAddr("2001:db8::1")})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["subject"] != subject || line["remote"] != "2001:db8::1" || line["jti"] != nil {
		t.Errorf("%s: %v", out.String(), err)
	}
	if strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("it is not one line: %q", out.String())
	}
	reader, writer := io.Pipe()
	_ = reader.Close()
	a.out = writer
	if a.write(t.Context(), &record{Subject: "somebody"}); !strings.Contains(log.String(), "Failed to write an audit record") || strings.Contains(log.String(), "somebody") {
		t.Errorf("the log says %q", log.String())
	}
}
