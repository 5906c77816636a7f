// Gets a token that is bound to a key with the package dpop, against the issuer in ISSUER, and has oauth4webapi and express-oauth2-jwt-bearer verify it, with the proof
// of its key, with another one and with none. Prints what it saw as JSON.
import express from 'express';
import * as DPoP from 'dpop';
import {auth} from 'express-oauth2-jwt-bearer';
import * as oauth from 'oauth4webapi';

const {ISSUER, AUDIENCE, PASSWORD} = process.env;
const server = await oauth.processDiscoveryResponse(new URL(ISSUER), await oauth.discoveryRequest(new URL(ISSUER), {algorithm: 'oauth2'}));
const keys = await DPoP.generateKeyPair('ES256');
const thief = await DPoP.generateKeyPair('ES256');

async function token(form, pair = keys) {
  const proof = await DPoP.generateProof(pair, server.token_endpoint, 'POST');
  const response = await fetch(server.token_endpoint, {method: 'POST', headers: {DPoP: proof}, body: new URLSearchParams({client_id: 'bound', ...form})});
  return response.json();
}

const login = await token({grant_type: 'password', username: 'alice', password: PASSWORD});
const refreshed = await token({grant_type: 'refresh_token', refresh_token: login.refresh_token});
const stolen = await token({grant_type: 'refresh_token', refresh_token: login.refresh_token}, thief);
const seen = {type: login.token_type, refreshed: refreshed.token_type, stolen: stolen.error};

// What a service sees: the scheme, and a proof if there is a key.
async function headers(url, scheme, pair, bound = refreshed.access_token) {
  const of = {Authorization: `${scheme} ${refreshed.access_token}`};
  return pair ? {...of, DPoP: await DPoP.generateProof(pair, url, 'GET', undefined, bound)} : of;
}

const cases = {right: ['DPoP', keys], anotherKey: ['DPoP', thief], noProof: ['DPoP'], bearer: ['Bearer'], anotherToken: ['DPoP', keys, login.access_token]};
const service = 'https://shop.example.com/orders';
seen.oauth4webapi = {};
for (const [name, of] of Object.entries(cases)) {
  const request = new Request(service, {headers: await headers(service, ...of)});
  try {
    const claims = await oauth.validateJwtAccessToken(server, request, AUDIENCE);
    seen.oauth4webapi[name] = claims.sub;
  } catch (error) {
    seen.oauth4webapi[name] = 'refused';
  }
}

const app = express();
app.use(auth({issuer: ISSUER, jwksUri: server.jwks_uri, audience: AUDIENCE, tokenSigningAlg: 'ES256', strict: true, dpop: {enabled: true, required: true}}));
app.get('/orders', (request, response) => response.send(request.auth.payload.sub));
app.use((error, request, response, next) => response.status(error.status ?? 500).send('refused'));
const listening = app.listen(0, '127.0.0.1');
await new Promise((ready) => listening.once('listening', ready));
const orders = `http://127.0.0.1:${listening.address().port}/orders`;
seen.express = {};
for (const [name, of] of Object.entries(cases)) {
  seen.express[name] = await (await fetch(orders, {headers: await headers(orders, ...of)})).text();
}
listening.close();
console.log(JSON.stringify(seen));
