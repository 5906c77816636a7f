package cli

import (
	"context"
	"errors"
	"testing"
)

// A read that blocks ends with the context.
func TestReadWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readWithContext(ctx, func() (int, error) { select {} }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
