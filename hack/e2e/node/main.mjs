// A service as an application has it: verify.mjs is the example of docs/verifying/node.md as it stands there.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { verify } from './verify.mjs'

const tls = { cert: readFileSync('/tls/tls.crt'), key: readFileSync('/tls/tls.key') }
const server = createServer(tls, async (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  try {
    if (scheme !== 'Bearer') throw new Error('no token')
    const claims = await verify(token)
    response.end(`orders: hello ${claims.sub}\n`)
  } catch (error) {
    response.writeHead(401, { 'WWW-Authenticate': `Bearer error="invalid_token", error_description="${error.code ?? error.message}"` }).end()
  }
})
server.keepAliveTimeout = 60_000
server.listen(9443, () => console.log('listening'))
process.on('SIGTERM', () => server.close())
