// Package source reads the key set of a TrustedIssuer from the source in its spec.
package source

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/jwks"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/issuer/remote"
)

// Timeout limits one fetch, including discovery.
const Timeout = 10 * time.Second

// Cluster reads from the cluster for a source.
type Cluster interface {
	// ConfigMapEntry returns an entry of a ConfigMap of the key namespace.
	ConfigMapEntry(ctx context.Context, name, key string) (string, error)
	// Read returns the response of the API server at a path.
	Read(ctx context.Context, path string) ([]byte, error)
}

// Keys is the result of a fetch.
type Keys struct {
	// Published are the usable keys, LeftOut the others.
	Published []jwks.Published
	LeftOut   []jwks.LeftOut
	// File is the JWKS of the keys for verifiers.
	File []byte
	// NotModified is set if the response is still that of the ETag. Published, LeftOut and File are then empty.
	NotModified bool
	// ETag is that of the response, empty if it has none. MaxAge is how long it may be cached, zero if the server sends
	// none.
	ETag   string
	MaxAge time.Duration
}

// Read fetches the keys of a spec once. With the ETag of an earlier response, the request is conditional. The cluster
// may be nil unless the spec has kubernetes or caConfigMap.
func Read(ctx context.Context, spec *keywrightv1alpha1.TrustedIssuerSpec, cluster Cluster, etag string) (Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	response, err := read(ctx, spec, cluster, etag)
	if err != nil || response.NotModified {
		return Keys{NotModified: response.NotModified, ETag: etag, MaxAge: response.MaxAge}, err
	}
	keys, leftOut, err := jwks.Publish(response.Body, desired.RulesOf(spec))
	if err != nil {
		return Keys{LeftOut: leftOut}, fmt.Errorf("the key set %w", err)
	}
	file := jwks.EncodeFile(keys, desired.AlgorithmOf(keys, response.Body))
	return Keys{Published: keys, LeftOut: leftOut, File: file, ETag: response.ETag, MaxAge: response.MaxAge}, nil
}

func read(ctx context.Context, spec *keywrightv1alpha1.TrustedIssuerSpec, cluster Cluster, etag string) (remote.Response, error) {
	switch {
	case spec.Keys.Inline != "":
		return remote.Response{Body: []byte(spec.Keys.Inline)}, nil
	case spec.Keys.Kubernetes != nil:
		return readKubernetes(ctx, spec.Issuer, cluster)
	}
	roots, err := rootsOf(ctx, &spec.Keys, cluster)
	if err != nil {
		return remote.Response{}, err
	}
	client := remote.New(roots, "")
	defer client.Close()
	address := spec.Keys.URL
	switch {
	case spec.Keys.Discovery != nil:
		if address, err = client.JWKSURI(ctx, spec.Issuer); err != nil {
			return remote.Response{}, err
		}
	case spec.Keys.SPIFFEBundle != nil:
		address = spec.Keys.SPIFFEBundle.URL
	}
	return client.Get(ctx, address, etag)
}

// rootsOf returns the CA certificates of the source, nil for the default ones.
func rootsOf(ctx context.Context, keys *keywrightv1alpha1.KeySource, cluster Cluster) (*x509.CertPool, error) {
	bundle, from := keys.CABundle, "caBundle"
	if of := keys.CAConfigMap; of != nil {
		key := cmp.Or(of.Key, "ca.crt")
		from = fmt.Sprintf("entry %s of ConfigMap %s", key, of.Name)
		var err error
		if bundle, err = cluster.ConfigMapEntry(ctx, of.Name, key); err != nil {
			return nil, err
		}
	}
	if bundle == "" {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(bundle)) {
		return nil, fmt.Errorf("%s has no PEM certificate", from)
	}
	return roots, nil
}

// readKubernetes reads the keys of ServiceAccount tokens (Kubernetes: service account issuer discovery). The metadata
// must name the issuer.
func readKubernetes(ctx context.Context, issuer string, cluster Cluster) (remote.Response, error) {
	b, err := cluster.Read(ctx, "/.well-known/openid-configuration")
	if err != nil {
		return remote.Response{}, fmt.Errorf("read the issuer of the API server: %w", err)
	}
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(b, &metadata); err != nil {
		return remote.Response{}, errors.New("the API server does not return issuer metadata")
	}
	if metadata.Issuer != issuer {
		return remote.Response{}, fmt.Errorf("the issuer of this cluster is %.256q: set spec.issuer to this value", metadata.Issuer)
	}
	b, err = cluster.Read(ctx, "/openid/v1/jwks")
	if err != nil {
		return remote.Response{}, fmt.Errorf("read the keys of the API server: %w", err)
	}
	return remote.Response{Body: b}, nil
}

// ConfigMapEntry reads an entry of a ConfigMap. It implements Cluster.ConfigMapEntry.
func ConfigMapEntry(ctx context.Context, from client.Reader, namespace, name, key string) (string, error) {
	var cm corev1.ConfigMap
	if err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &cm); err != nil {
		return "", fmt.Errorf("get ConfigMap %s/%s: %w", namespace, name, err)
	}
	text, ok := cm.Data[key]
	if !ok {
		return "", fmt.Errorf("ConfigMap %s/%s has no entry %s", namespace, name, key)
	}
	return text, nil
}
