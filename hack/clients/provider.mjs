// An OpenID provider of others, with the keys, the certificate and the port that a file or standard input has as JSON. It runs until it is killed.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const [file] = process.argv.slice(2);
const config = JSON.parse(file ? readFileSync(file, 'utf8') : await text(process.stdin));
const { issuer, host, port, cert, key, jwks, audience, lifetime } = config;
const provider = new Provider(issuer, {
  jwks,
  clients: [{
    client_id: 'batch', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    id_token_signed_response_alg: jwks.keys[0].alg,
  }],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'read', audience, accessTokenFormat: 'jwt', accessTokenTTL: lifetime, jwt: { sign: { alg: jwks.keys[0].alg } },
      }),
    },
  },
});
createServer({ cert, key }, provider.callback()).listen(port, host, () => console.log('listening'));
