package session_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/session"
)

func BenchmarkSeal(b *testing.B) {
	k := key(1, 'a')
	for b.Loop() {
		if _, err := session.Seal(k, whole()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	keys := issuerfiles.SealingKeys{key(1, 'a')}
	token, err := session.Seal(keys[0], whole())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := session.Open(keys, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNonce(b *testing.B) {
	k, now := key(1, 'a'), time.Now()
	for b.Loop() {
		session.Nonce(k, now)
	}
}
