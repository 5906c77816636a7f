// An OpenID provider of others, with the keys, the certificate and the port that standard input has as JSON. It runs until it is killed.
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const { port, cert, key, jwks, audience } = JSON.parse(await text(process.stdin));
const provider = new Provider(`https://127.0.0.1:${port}`, {
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
        scope: 'read', audience, accessTokenFormat: 'jwt', accessTokenTTL: 60, jwt: { sign: { alg: jwks.keys[0].alg } },
      }),
    },
  },
});
createServer({ cert, key }, provider.callback()).listen(port, '127.0.0.1', () => console.log('listening'));
