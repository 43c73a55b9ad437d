import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTroubleLog, explainTrouble } from '#services/system/store_trouble.ts'
import { AvisoError } from '#shared/errors.ts'

const unavailable = (cause: unknown): AvisoError =>
  new AvisoError('ERR_STORE_UNAVAILABLE', 'The store cannot be reached: check that it runs', { cause })
const coded = (code: string, message: string): Error => Object.assign(new Error(message), { code })

/** What each runtime and gRPC say, as seen. */
const ROWS: readonly (readonly [name: string, cause: Error, reason: RegExp, mayPass: boolean])[] = [
  ['unknown host, Node', coded('ENOTFOUND', 'getaddrinfo ENOTFOUND h'), /host name is unknown/, false],
  [
    'unknown host, Deno',
    new TypeError('fetch failed', {
      cause: new Error('client error (Connect): dns error: failed to lookup address information'),
    }),
    /host name is unknown/,
    false,
  ],
  [
    'unknown host, gRPC',
    coded('14', '14 UNAVAILABLE: Name resolution failed for target dns:h:3'),
    /host name/,
    false,
  ],
  [
    'another Aviso',
    new Error('etcd: There is nothing at this path (code 5)'),
    /another Aviso answers there.*vars\.storeTokenEnv/,
    false,
  ],
  [
    'a certificate that is wanted, Deno',
    new Error('received fatal alert: BadCertificate'),
    /wants a certificate.*vars\.storeTls/,
    false,
  ],
  [
    'a certificate that is wanted, Bun',
    coded('ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'SSLV3_ALERT_BAD_CERTIFICATE'),
    /wants a certificate/,
    false,
  ],
  [
    'refused, Node',
    coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:3'),
    /refused, so nothing listens/,
    true,
  ],
  [
    'refused, Deno',
    new TypeError('fetch failed', {
      cause: new Error('tcp connect error: Connection refused (os error 111)'),
    }),
    /refused, so nothing listens/,
    true,
  ],
  [
    'refused, gRPC',
    coded(
      '14',
      '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:3.',
    ),
    /refused, so nothing listens/,
    true,
  ],
  [
    'refused at both addresses of a name',
    new AggregateError([coded('ECONNREFUSED', 'a'), coded('ECONNREFUSED', 'b')]),
    /refused, so nothing listens/,
    true,
  ],
  ['no TLS, Node', coded('ERR_SSL_WRONG_VERSION_NUMBER', 'SSL routines'), /does not speak TLS/, false],
  [
    'no TLS, Deno',
    new Error('received corrupt message of type InvalidContentType'),
    /does not speak TLS/,
    false,
  ],
  ['no TLS, Bun', coded('EPROTO', 'EPROTO: The TLS handshake failed.'), /does not speak TLS/, false],
  ['silent', new Error('No answer within 2000 ms'), /does not answer in time/, true],
  [
    'another program',
    new Error('HTTP status 404 without an error of etcd'),
    /another program .*\(HTTP status 404\)$/,
    false,
  ],
  ['closes, Node', coded('UND_ERR_SOCKET', 'other side closed'), /closes the connection/, true],
  [
    'no gRPC',
    coded('14', '14 UNAVAILABLE: No connection established. Last error: Protocol error (x)'),
    /not speak gRPC/,
    false,
  ],
]

describe('explainTrouble()', () => {
  for (const [name, cause, reason, mayPass] of ROWS) {
    it(`knows the cause: ${name}`, () => {
      const trouble = explainTrouble(unavailable(cause))
      assert.match(trouble.reason, reason)
      assert.equal(trouble.mayPass, mayPass)
    })
  }

  it('shows nothing of a text that another server sent', () => {
    const { reason } = explainTrouble(unavailable(new Error('ECONNREFUSED geheim 10.0.0.1')))
    assert.equal(/geheim|10\.0\.0\.1/.test(reason), false)
  })

  it('leaves a message that names cause and remedy already', () => {
    const error = new AvisoError('ERR_STORE_UNAVAILABLE', 'The store refuses us: check vars.storeUser')
    assert.deepEqual(explainTrouble(error), { reason: error.message, mayPass: false })
  })
})

describe('createTroubleLog()', () => {
  it('logs a cause with the address when it is new, and again after 30 s', () => {
    let nowMs = 0
    const logged: string[] = []
    const log = createTroubleLog(
      (level, message, fields) => logged.push(JSON.stringify([level, message, fields])),
      {
        store: 'http://etcd:2379',
        now: () => nowMs,
      },
    )
    const refused = unavailable(coded('ECONNREFUSED', ''))
    for (nowMs = 0; nowMs < 60_000; nowMs += 1_000) log(refused)
    assert.equal(logged.length, 2)
    assert.match(
      logged[0] ?? '',
      /^\["warn","waiting for the store",.*"store":"http:\/\/etcd:2379","reason":"the connection was/,
    )
    log(unavailable(coded('ENOTFOUND', '')))
    assert.match(logged[2] ?? '', /^\["error",.*Waiting alone does not mend this"/)
  })
})
