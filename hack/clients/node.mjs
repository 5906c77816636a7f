// Gets tokens with openid-client and verifies them with jose, against the issuer in ISSUER. Prints what it saw as JSON.
import * as openid from 'openid-client';
import {createRemoteJWKSet, exportJWK, importJWK, jwtVerify} from 'jose';

const {ISSUER, AUDIENCE, SECRET, PASSWORD, ROBOT_KEY} = process.env;
const server = new URL(ISSUER);
const seen = {};

async function verify(token) {
  const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  const {payload, protectedHeader} = await jwtVerify(token, keys, {
    issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'], requiredClaims: ['sub', 'jti', 'client_id', 'exp', 'iat'],
  });
  return {sub: payload.sub, email: payload.email, kid: protectedHeader.kid};
}

// Both places of the metadata, and all ways of client authentication.
let config = await openid.discovery(server, 'batch', undefined, openid.ClientSecretBasic(SECRET));
seen.basic = await verify((await openid.clientCredentialsGrant(config, {scope: 'read'})).access_token);
config = await openid.discovery(server, 'batch', undefined, openid.ClientSecretPost(SECRET), {algorithm: 'oauth2'});
seen.post = await verify((await openid.clientCredentialsGrant(config, {resource: AUDIENCE})).access_token);
const key = await importJWK(JSON.parse(ROBOT_KEY), 'ES256');
config = await openid.discovery(server, 'robot', undefined, openid.PrivateKeyJwt({key, kid: JSON.parse(ROBOT_KEY).kid}));
seen.assertion = await verify((await openid.clientCredentialsGrant(config)).access_token);
config = await openid.discovery(server, 'web', undefined, openid.None());
seen.password = await verify((await openid.genericGrantRequest(config, 'password', {username: 'alice', password: PASSWORD})).access_token);

for (const [name, request] of Object.entries({
  wrongPassword: () => openid.genericGrantRequest(config, 'password', {username: 'alice', password: 'wrong'}),
  wrongScope: () => openid.genericGrantRequest(config, 'password', {username: 'alice', password: PASSWORD, scope: 'admin'}),
  wrongTarget: () => openid.genericGrantRequest(config, 'password', {username: 'alice', password: PASSWORD, resource: 'https://other.example.com'}),
  wrongGrant: () => openid.clientCredentialsGrant(config),
})) {
  try {
    await request();
    seen[name] = 'issued';
  } catch (error) {
    seen[name] = error.error ?? String(error);
  }
}
console.log(JSON.stringify(seen));
