import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDatagram, type DatagramRefusal } from '#services/monitoring/receive/datagram.ts'
import { parseSyslog } from '#services/monitoring/receive/syslog.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** reference/aviso-v1.md §4.2 */
const DATAGRAM =
  '{"telemetry_type":"rest_resp_time","component_name":"aviso-rest","hostname":"vm","time":1795301071.953389, "telemetry":{"rest_resp_time_counter":1,"rest_resp_time_avg":1.6e-06,"rest_resp_time_max":1.6e-06,"rest_resp_time_min":1.6e-06}}'

function refusal(bytes: Uint8Array): DatagramRefusal | undefined {
  const datagram = parseDatagram(bytes)
  return datagram.kind === 'refused' ? datagram.reason : undefined
}

describe('parseDatagram()', () => {
  it('reads a telemetry datagram of 1.x', () => {
    assert.deepEqual(parseDatagram(encode(DATAGRAM)), {
      kind: 'telemetry',
      message: {
        telemetry_type: 'rest_resp_time',
        component_name: 'aviso-rest',
        hostname: 'vm',
        time: 1795301071.953389,
        telemetry: {
          rest_resp_time_counter: 1,
          rest_resp_time_avg: 1.6e-6,
          rest_resp_time_max: 1.6e-6,
          rest_resp_time_min: 1.6e-6,
        },
      },
    })
  })

  it('refuses a message without one of its members, or with an empty one (row 70)', () => {
    const message = JSON.parse(DATAGRAM) as Record<string, unknown>
    for (const name of Object.keys(message)) {
      const { [name]: _left, ...rest } = message
      assert.equal(refusal(encode(JSON.stringify(rest))), 'not_telemetry', name)
      for (const empty of ['', null, 0, {}, []]) {
        assert.equal(refusal(encode(JSON.stringify({ ...message, [name]: empty }))), 'not_telemetry', name)
      }
    }
  })

  it('refuses bad input with a reason', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000)
    const names = Array.from({ length: 5_000 }, (_, index) => `"name${index}":1`).join(',')
    const telemetry = (value: string): Uint8Array =>
      encode(DATAGRAM.replace(/"telemetry":\{.*\}\}/, `"telemetry":${value}}`))
    const cases: readonly (readonly [string, Uint8Array, DatagramRefusal])[] = [
      ['empty', new Uint8Array(), 'empty'],
      ['65,537 bytes', new Uint8Array(65_537).fill(0x7b), 'too_large'],
      ['65 kB of nothing', new Uint8Array(65_507), 'malformed'],
      ['65 kB of braces', new Uint8Array(65_507).fill(0x7b), 'malformed'],
      ['text', encode('hello'), 'malformed'],
      ['not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'malformed'],
      ['a log that is not UTF-8', new Uint8Array([0x3c, 0xff]), 'malformed'],
      ['deep', encode(`{"telemetry":${deep}}`), 'malformed'],
      ['a list', encode('[]'), 'malformed'],
      ['cut off', encode(DATAGRAM.slice(0, -3)), 'malformed'],
      ['__proto__', telemetry('{"__proto__":{"x":1}}'), 'malformed'],
      ['NaN, as Python writes it', telemetry('{"rest_resp_time_avg":NaN}'), 'malformed'],
      ['1e999', telemetry('{"rest_resp_time_avg":1e999}'), 'malformed'],
      ['thousands of names', telemetry(`{${names}}`), 'malformed'],
      ['the same name twice', telemetry('{"a_max":1,"a_max":2}'), 'malformed'],
      ['a boolean', telemetry('{"a_max":true}'), 'not_telemetry'],
      ['a name with a newline', telemetry('{"a\\nb_max":1}'), 'not_telemetry'],
      ['a name with a quote', telemetry('{"a\\"b_max":1}'), 'not_telemetry'],
      ['a list of numbers', telemetry('{"a_values":[1]}'), 'not_telemetry'],
      ['a type that is no name', encode(DATAGRAM.replace('rest_resp_time"', 'x y"')), 'not_telemetry'],
      ['a log of nobody', encode('<191>1 2021-04-12T09:19:12Z host app 58 - - hello'), 'unknown_log'],
    ]
    for (const [name, bytes, reason] of cases) assert.equal(refusal(bytes), reason, name)
    assert.equal(({} as Record<string, unknown>)['x'], undefined)
  })
})

describe('parseSyslog()', () => {
  const rest = (level: string, message: string): string =>
    `<191>1 2021-04-12T09:19:12.252093+00:00 aviso-rest-green-9c975dc86-mvplw aviso-rest 58 - [origin software="aviso"] {"asctime":"x","levelname":"${level}","message":"${message}"}`
  const etcd = (level: string): string =>
    `<189>1 2021-04-12T09:19:12.252093+00:00 aviso-etcd-1 etcd - - [origin enterpriseId="7464" software="aviso"] {"level":"${level}","ts":"x","msg":"y"}`

  it('knows the shapes of 1.x (row 71)', () => {
    assert.deepEqual(
      [
        rest('ERROR', 'x'),
        rest('WARNING', 'x'),
        rest('INFO', 'x'),
        etcd('warn'),
        etcd('error'),
        etcd('panic'),
        etcd('info'),
      ].map((line) => `${parseSyslog(line)?.app} ${parseSyslog(line)?.level}`),
      ['rest error', 'rest warning', 'rest other', 'etcd warning', 'etcd error', 'etcd error', 'etcd other'],
    )
  })

  it('files a line that mentions another service under the service that wrote it', () => {
    assert.equal(parseSyslog(rest('ERROR', 'aviso-etcd did not answer'))?.app, 'rest')
  })

  it('finds the service in a line of another form, in the order of 1.x', () => {
    assert.equal(parseSyslog('<1>something of aviso-auth and aviso-etcd')?.app, 'etcd')
  })

  it('does not take a mistyped address for an error of the auth service (row 74)', () => {
    const line = rest('ERROR', '404 Not Found: The requested URL was not found on the server').replaceAll(
      'aviso-rest',
      'aviso-auth',
    )
    assert.equal(parseSyslog(line)?.level, 'other')
  })
})
