package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trusted is a TrustedIssuer that the chart creates.
const trusted = "trustedIssuers.issuers.a.issuer=https://x,trustedIssuers.issuers.a.keys.url=https://x,trustedIssuers.issuers.a.distribution.namespaceSelector.matchLabels.a=b"

// What cannot work is refused before anything is installed, in words that say where it is.
func TestWrongValuesAreRefused(t *testing.T) {
	for set, complaint := range map[string]string{
		"isuer.replicas=2":                                 "'isuer' not allowed",
		"issuer.replica=2":                                 "'replica' not allowed",
		"issuer.config.issuer=https://x":                   "'issuer' not allowed",
		"issuer.config.server.tls.certFile=/x":             "'tls' not allowed",
		"issuer.config.clients[0].id=x":                    "missing property 'grantTypes'",
		"issuer.config.token.lifetime=900":                 "/issuer/config/token/lifetime",
		"issuer.url=http://issuer.example.com":             "/issuer/url",
		"issuer.url=https://issuer.example.com/?a=b":       "/issuer/url",
		"issuer.replicas=-1":                               "/issuer/replicas",
		"issuer.tls.certManager.enabled=true":              "missing property 'name'",
		"issuer.image.digest=latest":                       "/issuer/image/digest",
		"issuer.service.externalTrafficPolicy=Local":       "/issuer/service/externalTrafficPolicy",
		"controller.podDisruptionBudget.maxUnavailable=ab": "/controller/podDisruptionBudget/maxUnavailable",
		"controller.extraArgs[0]=verbose":                  "/controller/extraArgs/0",
		"controller.nudgeAllPods=yes":                      "/controller/nudgeAllPods",
		"outputs.istio.enabled=yes":                        "/outputs/istio/enabled",
		"signingKey.spec.outputs.istio.issuer=https://x":   "set outputs.istio.enabled to true",
		"trustedIssuers.issuers.a.issuer=https://x":        "/trustedIssuers/issuers/a",
		trusted: "set trustedIssuers.enabled to true",
		trusted + ",trustedIssuers.enabled=true,fetcher.networkPolicy.egressFromIssuers=true,fetcher.networkPolicy.egress[0].ports[0].port=1": "set one of them",
		"image.pullPolicy=Sometimes":                  "/image/pullPolicy",
		"image.tag=a b":                               "/image/tag",
		"image.registry=https://registry.example.com": "/image/registry",
		"signingKey.name=Main":                        "/signingKey/name",
		"signingKey.spec.algorithm=HS256":             "/signingKey/spec/algorithm",
		"signingKey.spec.interval=1h":                 "'interval' not allowed",
		"monitoring.rules.labels.release=1":           "/monitoring/rules/labels/release",
		"issuer.tls.secretName=a,issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b": "/issuer/tls/certManager/enabled",
		"issuer.config.users.ldap.url=ldaps://x": "add the rules to issuer.networkPolicy.egress",
		"issuer.config.users.postgresql.host=db": "/issuer/config/users/postgresql",
		"issuer.config.users.postgresql.host=db,issuer.config.users.postgresql.database=a,issuer.config.users.postgresql.user=u,issuer.config.users.postgresql.passwordFile=/x,issuer.config.users.postgresql.query=SELECT": "/issuer/config/users/postgresql/query",
		postgresql: "issuer.config.users.postgresql needs connections, but the NetworkPolicy allows the issuer none",
		postgresql + ",issuer.networkPolicy.enabled=false":                                                                                                                          "issuer.config.users.postgresql.passwordFile is /x/password, and no volume",
		postgresql + ",issuer.config.users.ldap.url=ldaps://x":                                                                                                                      "/issuer/config/users",
		"issuer.config.tokenExchange[0].keys.url=https://x":                                                                                                                         "issuer.config.tokenExchange[0].keys.url needs connections",
		"issuer.extraEnv[0].name=OTEL_EXPORTER_OTLP_ENDPOINT,issuer.extraEnv[0].value=x":                                                                                            "OTEL_EXPORTER_OTLP_ENDPOINT needs connections",
		"issuer.config.tokenExchange[0].name=x":                                                                                                                                     "issuer is not an https URL",
		"issuer.config.tokenExchange[0].issuer=https://x":                                                                                                                           "whose keys are discovered, needs connections",
		"issuer.config.tokenExchange[0].keys.url=https://x,issuer.config.tokenExchange[0].keys.file=/y":                                                                             "and not both",
		"issuer.networkPolicy.enabled=false,issuer.config.tokenExchange[0].keys.url=https://kubernetes.default.svc/openid/v1/jwks":                                                  "set caFile to /var/run/keywright/cluster/ca.crt",
		"issuer.networkPolicy.enabled=false,issuer.config.tokenExchange[0].keys.url=https://x,issuer.config.tokenExchange[0].keys.caFile=/x/ca.crt":                                 "issuer.config.tokenExchange[0].keys.caFile is /x/ca.crt, and no volume contains that file",
		"issuer.networkPolicy.enabled=false,issuer.config.users.ldap.bindPasswordFile=/x/password":                                                                                  "issuer.config.users.ldap.bindPasswordFile is /x/password, and no volume",
		"issuer.config.server.mutualTLS.address=:8444,issuer.config.server.mutualTLS.url=https://x,issuer.config.server.mutualTLS.clientCAFile=/x/ca.crt":                           "issuer.config.server.mutualTLS.clientCAFile is /x/ca.crt, and no volume",
		"issuer.config.server.mutualTLS.address=:8443,issuer.config.server.mutualTLS.url=https://x,issuer.config.server.mutualTLS.clientCAFile=/var/run/keywright/tls/tls.crt":      "has a port that the issuer uses for something else",
		"issuer.config.server.proxyProtocol=true":                                                                                                                                   "needs issuer.config.server.trustedProxies",
		"issuer.autoscaling.enabled=true,issuer.autoscaling.minReplicas=11":                                                                                                         "minReplicas is 11, more than maxReplicas, 10",
		"issuer.config.token.lifetime=1h1s":                                                                                                                                         "issuer.config.token.lifetime is 1h1s, longer than signingKey.spec.token.maxLifetime, 1h: lower",
		"signingKey.spec.token.maxLifetime=10m":                                                                                                                                     "issuer.config.token.lifetime is 15m, longer than signingKey.spec.token.maxLifetime, 10m",
		"issuer.config.clients[0].id=a,issuer.config.clients[0].grantTypes[0]=password,issuer.config.clients[0].refresh.lifetime=1h":                                                "issuer.config.clients[0].refresh needs sessions",
		"signingKey.spec.sessions.maxRefreshLifetime=1h,issuer.config.clients[0].id=a,issuer.config.clients[0].grantTypes[0]=password,issuer.config.clients[0].refresh.lifetime=2h": "issuer.config.clients[0].refresh.lifetime is 2h, longer than signingKey.spec.sessions.maxRefreshLifetime, 1h",
		"signingKey.spec.rotation.interval=30d":                                                                                                                                     "/signingKey/spec/rotation/interval",
		"signingKey.spec.rotation.waitForTargets=1d":                                                                                                                                "/signingKey/spec/rotation/waitForTargets",
		"signingKey.spec.token.maxLifetime=1 h":                                                                                                                                     "/signingKey/spec/token/maxLifetime",
		"signingKey.spec.token.clockSkew=60":                                                                                                                                        "/signingKey/spec/token/clockSkew",
		"signingKey.spec.sessions.maxSessionLifetime=30d":                                                                                                                           "/signingKey/spec/sessions/maxSessionLifetime",
		"signingKey.spec.distribution.propagationDelay=15min":                                                                                                                       "/signingKey/spec/distribution/propagationDelay",
		"signingKey.spec.distribution.caConfigMap=issuer-ca":                                                                                                                        "/signingKey/spec/distribution/caConfigMap",
		"signingKey.spec.distribution.caConfigMap.key=ca.crt":                                                                                                                       "missing property 'name'",
		"signingKey.spec.distribution.caConfigMap.secretName=x":                                                                                                                     "'secretName' not allowed",
		"signingKey.spec.distribution.caConfigMap.name=":                                                                                                                            "/signingKey/spec/distribution/caConfigMap/name",
		"signingKey.name=":      "/signingKey/name",
		"controller.replicas=0": "/controller/replicas",
		"issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b,issuer.tls.certManager.renewBefore=2161h": "renewBefore is 2161h, longer than duration, 2160h",
		"issuer.ingress.enabled=true":                                   "issuer.ingress routes by the host of issuer.url",
		"issuer.url=https://192.0.2.1,issuer.ingress.enabled=true":      "the host of issuer.url is an address",
		"issuer.url=https://a.example.com,issuer.tlsRoute.enabled=true": "issuer.tlsRoute.parentRefs is empty",
		"issuer.url=https://a.example.com,issuer.tlsRoute.enabled=true,issuer.tlsRoute.parentRefs[0].name=a,issuer.httpRoute.enabled=true,issuer.httpRoute.parentRefs[0].name=a": "enable one",
		"issuer.url=https://a.example.com,issuer.tls.secretName=x,issuer.httpRoute.enabled=true,issuer.httpRoute.parentRefs[0].name=a":                                           "issuer.httpRoute.caConfigMap",
		`commonLabels.app\.kubernetes\.io/name=x`: "commonLabels: the chart itself sets app.kubernetes.io/name",
	} {
		for _, version := range helms {
			if _, err := template(t, version, "--set", set); err == nil || !strings.Contains(err.Error(), complaint) {
				t.Errorf("%s with %s: want %q, got %v", version, set, complaint, err)
			}
		}
	}
}

// postgresql are values for users in a database.
const postgresql = "issuer.config.users.postgresql.host=db,issuer.config.users.postgresql.database=a,issuer.config.users.postgresql.user=u," +
	"issuer.config.users.postgresql.passwordFile=/x/password,issuer.config.users.postgresql.query=SELECT id AS subject WHERE name = $1"

// The next right value is let through, so that nothing above is refused for another reason.
func TestValidValuesAreAccepted(t *testing.T) {
	for _, set := range []string{
		"issuer.replicas=0", "issuer.url=https://issuer.example.com:8443/path", "image.registry=registry.example.com:5000/team",
		"issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b", "signingKey.spec.algorithm=RS256",
		"issuer.service.type=LoadBalancer,issuer.service.externalTrafficPolicy=Local", "controller.extraArgs[0]=--verbose",
		"controller.podDisruptionBudget.maxUnavailable=50%", "issuer.config.token.lifetime=1m30s", "issuer.enabled=false",
		"issuer.config.tokenExchange[0].name=x,issuer.config.tokenExchange[0].keys.file=/x/y,issuer.extraVolumeMounts[0].name=x,issuer.extraVolumeMounts[0].mountPath=/x",
		"issuer.networkPolicy.enabled=false,issuer.config.tokenExchange[0].keys.url=https://x,issuer.config.tokenExchange[0].keys.caFile=/etc/ssl/certs/ca-certificates.crt",
		"issuer.networkPolicy.enabled=false,issuer.config.tokenExchange[0].name=x,issuer.config.tokenExchange[0].issuer=https://x", // whose keys are discovered
		"issuer.config.clients[0].id=x,issuer.config.clients[0].grantTypes[0]=client_credentials,issuer.config.clients[0].assertionAudience=tokenEndpoint,issuer.config.clients[0].encryptionKey.kty=EC",
		"issuer.autoscaling.enabled=true,issuer.autoscaling.minReplicas=10", "issuer.config.token.lifetime=60m", "signingKey.spec.rotation.interval=1h30m",
		"signingKey.spec.distribution.caConfigMap=null", "signingKey.spec.distribution.caConfigMap.name=x,signingKey.spec.distribution.caConfigMap.key=y",
		"signingKey.enabled=false,issuer.config.token.lifetime=2h", // of a SigningKey that the chart does not know
		"issuer.networkPolicy.enabled=false,issuer.extraEnv[0].name=OTEL_EXPORTER_OTLP_ENDPOINT,issuer.extraEnv[0].value=x",
		"issuer.users.secretName=", "issuer.config.server.proxyProtocol=true,issuer.config.server.trustedProxies[0]=10.0.0.0/8",
		"issuer.config.users.ldap.url=ldaps://x,issuer.networkPolicy.enabled=false",
		postgresql + ",issuer.networkPolicy.enabled=false,issuer.extraVolumeMounts[0].name=x,issuer.extraVolumeMounts[0].mountPath=/x,issuer.config.users.postgresql.port=5433",
	} {
		for _, version := range helms {
			if _, err := template(t, version, "--set", set); err != nil {
				t.Errorf("%s with %s: %v", version, set, err)
			}
		}
	}
}

func TestInjectionNeedsKubernetes136(t *testing.T) {
	for _, version := range helms {
		_, err := template(t, version, "--set", "injection.enabled=true", "--kube-version", "1.35.4")
		if err == nil || !strings.Contains(err.Error(), "which Kubernetes has since 1.36, and this is v1.35.4") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// README.md, which is made of values.yaml, says of each value what it does.
func TestEveryValueIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "|-----|")
	rows := strings.Split(strings.TrimSpace(table), "\n")[1:]
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "|"), " |")
		if strings.TrimSpace(cells[len(cells)-1]) == "" {
			t.Errorf("no comment: %s", row)
		}
	}
	if len(rows) < 60 {
		t.Errorf("only %d values", len(rows))
	}
}
