// Verifies a key set and tokens from standard input, one per line, with jose.
import { readFileSync } from 'node:fs'
import { createLocalJWKSet, jwtVerify } from 'jose'

const [set, algorithm, ...tokens] = readFileSync(0, 'utf8').trim().split('\n')
const keys = createLocalJWKSet(JSON.parse(set))
for (const token of tokens) {
  await jwtVerify(token, keys, {
    issuer: 'https://issuer.example.com', audience: 'https://orders.example.com', algorithms: [algorithm], typ: 'at+jwt',
    clockTolerance: 60, requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
  })
}
