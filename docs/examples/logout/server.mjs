// A backend with a button "log out everywhere": it ends all tokens that its caller got until now, in every service of the cluster, by a
// Revocation that it creates with the rights of its ServiceAccount.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { createLocalJWKSet, jwtVerify } from 'jose'

const { ISSUER, AUDIENCE, JWKS, SERVICE_ACCOUNT, ADDRESS, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } = process.env

let text, keys, list
function load() {
  try {
    const read = [JWKS, JWKS.replace(/json$/, 'revoked')].map((file) => readFileSync(file, 'utf8'))
    if (read.join() === text) return
    const ends = JSON.parse(read[1])
    if (ends.version !== 1) throw new Error(`revocation list of version ${ends.version}`)
    keys = createLocalJWKSet(JSON.parse(read[0]))
    list = ends
    text = read.join()
  } catch (error) {
    if (!keys) throw error // at start there must be both
    console.error(`files not reloaded, the last good ones stay in use: ${error.message}`)
  }
}
load()
setInterval(load, 1000).unref()

async function verify(authorization = '') {
  const { payload } = await jwtVerify(authorization.replace(/^Bearer /, ''), keys, {
    issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'], requiredClaims: ['sub', 'exp'], clockTolerance: 60,
  })
  if (isEnded(payload)) throw new Error('a revocation ended the token')
  return payload
}

// isEnded reports whether the revocation list ends a token: docs/revocation.md has its format.
function isEnded(token) {
  const digest = (claim) => createHash('sha256').update(`${claim}:${token[claim]}`).digest('base64url').slice(0, 22)
  const until = [list.allBefore, ...['jti', 'sid', 'sub', 'client_id'].map((claim) => list.ended[digest(claim)])]
  return until.some((before) => before && !((token.auth_time ?? token.iat) > before + list.clockSkewSeconds))
}

// endTokensOf creates a Revocation, which the controller carries out and deletes a day after it has expired.
function endTokensOf(subject) {
  const body = JSON.stringify({
    apiVersion: 'keywright.dev/v1alpha1', kind: 'Revocation', metadata: { generateName: 'main-' },
    spec: {
      signingKey: 'main', subject, issuedBefore: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      reason: 'log out everywhere', ttlAfterExpiry: '24h',
    },
  })
  return new Promise((resolve, reject) => {
    const call = request({
      host: KUBERNETES_SERVICE_HOST, port: KUBERNETES_SERVICE_PORT, path: '/apis/keywright.dev/v1alpha1/revocations', method: 'POST',
      ca: readFileSync(`${SERVICE_ACCOUNT}/ca.crt`), timeout: 10_000,
      headers: {
        authorization: `Bearer ${readFileSync(`${SERVICE_ACCOUNT}/token`, 'utf8')}`, // each time: the kubelet renews it
        'content-type': 'application/json', 'content-length': Buffer.byteLength(body),
      },
    }, (answer) => {
      answer.resume()
      if (answer.statusCode === 201) resolve()
      else reject(new Error(`the API server refuses the Revocation: ${answer.statusCode}`))
    })
    call.on('timeout', () => call.destroy(new Error('the API server does not answer')))
    call.on('error', reject)
    call.end(body)
  })
}

createServer(async (req, res) => {
  if (req.method !== 'POST' || req.url !== '/logout-everywhere') return res.writeHead(404).end()
  let claims
  try {
    claims = await verify(req.headers.authorization)
  } catch {
    return res.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
  }
  try {
    await endTokensOf(claims.sub) // its subject and nobody else's: nothing is taken from the request
    res.writeHead(204).end()
  } catch (error) {
    console.error(error.message)
    res.writeHead(503).end('You are not logged out. Try again.')
  }
}).listen(Number(ADDRESS.split(':').pop()), ADDRESS.split(':')[0]) // use TLS: who can read a token can use it
