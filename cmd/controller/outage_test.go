package main

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
)

// A revocation that is requested right after an outage does not wait for a back-off. Informers of client-go would wait
// for up to 30 seconds.
func TestRevocationRightAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run()
	s.signingKey()
	s.patch(`{"spec":{"rotation":{"interval":"1h"}}}`)
	trusted := func(ctx context.Context) []string {
		var cm corev1.ConfigMap
		_ = s.on.admin.Get(ctx, client.ObjectKey{Namespace: s.target, Name: contract.JWKSConfigMap}, &cm)
		return issuerfiles.KeyIDs([]byte(cm.Data[s.name+contract.JWKSSuffix]))
	}
	until(t, "two keys", 30*time.Second, func(ctx context.Context) bool { return len(trusted(ctx)) == 2 && s.signs() != "" })
	first := s.signs()
	s.proxy.outage(t, 45*time.Second)
	s.revokeActive()
	began := time.Now()
	until(t, "the end of the revoked key", 10*time.Second, func(ctx context.Context) bool { return !slices.Contains(trusted(ctx), first) })
	t.Logf("it was carried out %v after the API server's return", time.Since(began).Round(10*time.Millisecond))
}
