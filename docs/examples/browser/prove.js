// Makes the proofs of RFC 9449 (DPoP): a JWT for one request, signed by a key that never leaves this browser.
const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const utf8 = (text) => new TextEncoder().encode(text);
const part = (object) => base64url(utf8(JSON.stringify(object)));

// newKey makes a key pair for ES256. false: no script can export the private key, not even this one.
export const newKey = () => crypto.subtle.generateKey({name: 'ECDSA', namedCurve: 'P-256'}, false, ['sign']);

// prove returns the proof for a POST to url. nonce is what the issuer asked for, else undefined, which JSON leaves out.
export async function prove(key, url, nonce) {
  const {kty, crv, x, y} = await crypto.subtle.exportKey('jwk', key.publicKey);
  const claims = {jti: crypto.randomUUID(), htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), nonce};
  const signed = `${part({typ: 'dpop+jwt', alg: 'ES256', jwk: {kty, crv, x, y}})}.${part(claims)}`;
  return `${signed}.${base64url(await crypto.subtle.sign({name: 'ECDSA', hash: 'SHA-256'}, key.privateKey, utf8(signed)))}`;
}
