package interop

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// resourceClient finds the issuer of a resource by its challenge and its metadata, with two libraries, and calls it with tokens that
// are bound to keys of WebCrypto.
const resourceClient = `
import { createInterface } from 'node:readline'
import * as oauth from 'oauth4webapi'
import { discoverOAuthProtectedResourceMetadata, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const ask = async (text) => { console.log(text); return (await lines.next()).value }
const resource = new URL(await ask('resource'))

const challenge = await fetch(resource)
const named = extractWWWAuthenticateParams(challenge).resourceMetadataUrl
console.log('challenge', challenge.status, named.href)
for (const options of [{}, { resourceMetadataUrl: named }]) {
  const found = await discoverOAuthProtectedResourceMetadata(resource, options)
  console.log('mcp', found.resource, found.authorization_servers.join())
}
const metadata = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource))
console.log('oauth4webapi', metadata.resource, metadata.authorization_servers.join())
await oauth.protectedResourceRequest('forged', 'GET', resource).catch((error) => {
  console.log('refused', error.cause.map((one) => [one.scheme, one.parameters.error, one.parameters.resource_metadata === named.href].join('/')).join())
})

for (const alg of ['ES256', 'Ed25519', 'RS256']) {
  const handle = oauth.DPoP({ client_id: 'web' }, await oauth.generateKeyPair(alg))
  const token = await ask('jkt ' + await handle.calculateThumbprint())
  for (let n = 0; n < 2; n++) {
    const answer = await oauth.protectedResourceRequest(token, 'GET', new URL('?page=' + n, resource), undefined, undefined, { DPoP: handle })
    console.log(alg, answer.status, await answer.text())
  }
  const stolen = oauth.DPoP({ client_id: 'web' }, await oauth.generateKeyPair(alg))
  for (const [name, options] of [['as Bearer', {}], ['by a thief', { DPoP: stolen }]]) {
    await oauth.protectedResourceRequest(token, 'GET', resource, undefined, undefined, options).catch((error) => {
      console.log(alg, name, error.cause.map((one) => one.scheme + '/' + one.parameters.error).join())
    })
  }
}
console.log('end')
process.exit(0)
`

// A protected resource is found and called by what others wrote: the client of the Model Context Protocol, and oauth4webapi.
func TestProtectedResource(t *testing.T) {
	node := runtime(t, "node", "Node 20 or newer")
	modules, err := filepath.Abs("node_modules")
	check(t, err)
	if _, err := os.Stat(filepath.Join(modules, "oauth4webapi")); err != nil {
		missing(t, "hack/interop/node_modules", "it with `npm --prefix hack/interop install`, as `make interop` does")
	}
	issuer := verifiertest.NewIssuer(t)
	server := httptest.NewUnstartedServer(nil)
	origin := "https://" + server.Listener.Addr().String()
	metadata := verifier.Metadata{
		Resource: origin + "/mcp", AuthorizationServers: []string{verifiertest.IssuerName}, ScopesSupported: []string{"mcp"}, Proof: verifier.DPoPOptional,
	}
	v := issuer.Verifier(func(c *verifier.Config) {
		c.Audience, c.BaseURL, c.Proof, c.Metadata = metadata.Resource, origin, verifier.DPoPOptional, &metadata
	})
	mux := http.NewServeMux()
	mux.Handle(metadata.Path(), metadata.Handler())
	mux.Handle("/mcp", v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context())
		_, _ = fmt.Fprint(w, token.Subject())
	})))
	server.Config.Handler = mux
	server.StartTLS()
	t.Cleanup(server.Close)

	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	directory := write(t, map[string]string{"main.mjs": resourceClient, "ca.pem": string(authority)})
	check(t, os.Symlink(modules, filepath.Join(directory, "node_modules")))
	client := start(t, directory, "env", "NODE_EXTRA_CA_CERTS="+filepath.Join(directory, "ca.pem"), node, "main.mjs")

	var said []string
	for client.out.Scan() {
		line := client.out.Text()
		switch thumbprint, bound := strings.CutPrefix(line, "jkt "); {
		case line == "resource":
			_, err = fmt.Fprintln(client.in, metadata.Resource)
		case bound:
			_, err = fmt.Fprintln(client.in, issuer.Token("alice", verifiertest.ForAudience(metadata.Resource),
				verifiertest.Claim("cnf", map[string]string{"jkt": thumbprint})))
		default:
			said = append(said, line)
		}
		check(t, err)
	}
	want := []string{
		"challenge 401 " + metadata.URL(),
		"mcp " + metadata.Resource + " " + verifiertest.IssuerName,
		"mcp " + metadata.Resource + " " + verifiertest.IssuerName,
		"oauth4webapi " + metadata.Resource + " " + verifiertest.IssuerName,
		"refused bearer/invalid_token/true,dpop//true",
	}
	for _, alg := range []string{"ES256", "Ed25519", "RS256"} {
		want = append(want, alg+" 200 alice", alg+" 200 alice", alg+" as Bearer bearer/invalid_token,dpop/undefined",
			alg+" by a thief bearer/undefined,dpop/invalid_token")
	}
	want = append(want, "end")
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}
