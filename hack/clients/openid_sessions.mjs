// Stays logged in with openid-client and a key of its own (DPoP), against the issuer in ISSUER. Prints what it saw as JSON.
import * as openid from 'openid-client';
import {createRemoteJWKSet, jwtVerify} from 'jose';

const {ISSUER, AUDIENCE, SECRET, PASSWORD} = process.env;
const seen = {};

async function claims(config, token) {
  const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
  const {payload} = await jwtVerify(token, keys, {issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256']});
  return payload;
}

async function outcome(request) {
  try {
    return (await request()).token_type;
  } catch (error) {
    return error.error ?? String(error);
  }
}

// openid-client repeats a refresh with the nonce that it was asked for, but no generic grant: the handle has the nonce by then.
async function logIn(config, options) {
  try {
    return await openid.genericGrantRequest(config, 'password', login, options);
  } catch (error) {
    if (error.error !== 'use_dpop_nonce') throw error;
    return await openid.genericGrantRequest(config, 'password', login, options);
  }
}

const login = {username: 'alice', password: PASSWORD};
for (const [client, algorithm] of [['spa', 'ES256'], ['spa', 'Ed25519'], ['spa', 'RS256'], ['bound', 'ES256'], ['careful', 'ES256']]) {
  const config = await openid.discovery(new URL(ISSUER), client, undefined, openid.None());
  const pair = await openid.randomDPoPKeyPair(algorithm);
  const DPoP = openid.getDPoPHandle(config, pair);
  let tokens = await logIn(config, {DPoP});
  const began = await claims(config, tokens.access_token);
  for (let i = 0; i < 3; i++) {
    tokens = await openid.refreshTokenGrant(config, tokens.refresh_token, undefined, {DPoP});
  }
  const now = await claims(config, tokens.access_token);
  const narrow = await openid.refreshTokenGrant(config, tokens.refresh_token, {scope: 'read'}, {DPoP});
  const other = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'));
  seen[`${client} ${algorithm}`] = {
    type: tokens.token_type, sub: now.sub, sameSession: now.sid === began.sid && now.auth_time === began.auth_time, bound: Boolean(now.cnf?.jkt),
    narrow: narrow.scope, withoutProof: await outcome(() => openid.refreshTokenGrant(config, tokens.refresh_token)),
    withAnotherKey: await outcome(() => openid.refreshTokenGrant(config, tokens.refresh_token, undefined, {DPoP: other})),
  };
}
const config = await openid.discovery(new URL(ISSUER), 'backend', undefined, openid.ClientSecretBasic(SECRET));
let tokens = await openid.genericGrantRequest(config, 'password', login);
tokens = await openid.refreshTokenGrant(config, tokens.refresh_token);
seen.backend = {type: tokens.token_type, sub: (await claims(config, tokens.access_token)).sub};
seen.algorithms = config.serverMetadata().dpop_signing_alg_values_supported;
seen.grants = config.serverMetadata().grant_types_supported;
console.log(JSON.stringify(seen));
