import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { METHODS, WATCH } from '#shared/store/etcd/grpc_messages.ts'
import { decodeMessage, encodeMessage, messageType } from '#shared/store/etcd/protobuf.ts'
import { encodeRange, encodeTxn, encodeWatch } from '#shared/store/etcd/wire.ts'

interface Method {
  readonly path: string
  readonly requestDeserialize: (bytes: Uint8Array) => object
  readonly responseSerialize: (message: object) => Uint8Array
}

/** The methods as etcd's own files describe them: the oracle. */
async function loadMethods(): Promise<readonly Method[]> {
  const require = createRequire(import.meta.url)
  const etcd3 = require.resolve('etcd3')
  const loader = createRequire(etcd3)('@grpc/proto-loader') as {
    load: (path: string, options: object) => Promise<Record<string, Record<string, Method>>>
  }
  const folder = join(dirname(etcd3), '..', 'proto')
  const options = { keepCase: true, longs: String, enums: Number, bytes: Array, includeDirs: [folder] }
  const services = await loader.load(join(folder, 'rpc.proto'), options)
  return Object.values(services).flatMap((service) => Object.values(service))
}

const methods = await loadMethods()
const asBytes = (bytes: Uint8Array): Uint8Array => bytes
const key = toBytes('k')
const LARGE = '9223372036854775807'

function oracleOf(path: string): Method {
  const method = methods.find((one) => one.path === path)
  assert.ok(method !== undefined, path)
  return method
}

/** A message with bytes as lists of numbers, and integers as texts, which the oracle gives. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

describe('encodeMessage()', () => {
  const requests: readonly (readonly [path: string, message: object])[] = [
    ['/v3/kv/range', encodeRange({ key }, asBytes)],
    [
      '/v3/kv/range',
      encodeRange(
        {
          key,
          end: Uint8Array.of(0),
          revision: 9_007_199_254_740_993n,
          limit: 300,
          sortTarget: 'VALUE',
          sortOrder: 'DESCEND',
          keysOnly: true,
          countOnly: true,
          minModRevision: 1n,
          maxModRevision: 2n ** 31n,
          minCreateRevision: 2n ** 35n,
          maxCreateRevision: BigInt(LARGE),
        },
        asBytes,
      ),
    ],
    [
      '/v3/kv/txn',
      encodeTxn(
        {
          compare: [
            { key, target: 'VERSION', result: 'GREATER', value: 1n },
            { key, target: 'CREATE', result: 'LESS', value: 0n },
            { key, target: 'MOD', result: 'NOT_EQUAL', value: 127n },
            { key, target: 'VALUE', result: 'EQUAL', value: toBytes('v') },
            { key, target: 'LEASE', result: 'EQUAL', value: 128n },
          ],
          success: [
            { kind: 'put', key, value: new Uint8Array(70_000).fill(7), lease: BigInt(LARGE) },
            { kind: 'put', key: toBytes('l'), value: new Uint8Array(0) },
            { kind: 'delete', range: { key, end: toBytes('z') } },
          ],
          failure: [{ kind: 'range', range: { key, limit: 1 } }],
        },
        asBytes,
      ),
    ],
    ['/v3/kv/compaction', { revision: '12345678901' }],
    ['/v3/lease/grant', { TTL: '60' }],
    ['/v3/maintenance/status', {}],
    ['/v3/auth/authenticate', { name: 'é', password: '' }],
  ]
  for (const [index, [path, message]] of requests.entries())
    it(`writes what etcd's own files say: ${path} ${index}`, () => {
      const method = METHODS[path]
      assert.ok(method !== undefined)
      const read = oracleOf(method.path).requestDeserialize(encodeMessage(method.request, message))
      assert.deepEqual(plain(read), plain(message))
    })

  it('writes a watch', () => {
    const message = encodeWatch({ range: { key, end: Uint8Array.of(0) }, from: 7n, isCut: true }, asBytes)
    const read = oracleOf(WATCH.path).requestDeserialize(encodeMessage(WATCH.request, message))
    assert.deepEqual(plain(read), plain(message))
  })

  it('writes lengths and integers of every size, and leaves room where it is asked to', () => {
    const type = messageType({ bytes: [1, 'bytes'], integers: [2, ['integer']] })
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const integers = [0n, 127n, 128n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n]
      const message = { bytes: new Uint8Array(length).fill(1), integers }
      const bytes = encodeMessage(type, message, 5)
      assert.deepEqual(bytes.subarray(0, 5), new Uint8Array(5))
      assert.deepEqual(plain(decodeMessage(type, bytes.subarray(5))), plain(message))
    }
    const minusOne = decodeMessage(type, encodeMessage(type, { integers: ['-1'] }))
    assert.deepEqual(minusOne, { integers: [2n ** 64n - 1n] })
  })

  it('refuses a field that the message does not have, which would be left out silently', () => {
    assert.throws(() => encodeMessage(messageType({}), { ttl: '1' }), TypeError)
  })
})

describe('decodeMessage()', () => {
  const header = { cluster_id: '18446744073709551615', member_id: '3', revision: '9007199254740993' }
  const kv = { key, create_revision: '1', mod_revision: '2', version: '3', value: toBytes('v'), lease: LARGE }
  const answers: readonly (readonly [path: string, message: object, rest?: object])[] = [
    ['/v3/kv/range', { header, kvs: [kv, { ...kv, value: new Uint8Array(300) }], more: true, count: '3' }],
    [
      '/v3/kv/txn',
      {
        header,
        succeeded: true,
        responses: [
          { response_put: {} },
          { response_delete_range: { deleted: '2' } },
          { response_range: { kvs: [kv], more: true, count: '1' } },
        ],
      },
    ],
    ['/v3/kv/compaction', { header }],
    ['/v3/lease/grant', { header, ID: LARGE, TTL: '60' }],
    ['/v3/maintenance/status', { header, version: '3.5.é', dbSize: '5', leader: '7' }],
    ['/v3/auth/authenticate', { header, token: 'abc.1' }],
  ]
  for (const [path, message] of answers)
    it(`reads what etcd's own files say: ${path}`, () => {
      const method = METHODS[path]
      assert.ok(method !== undefined)
      const bytes = oracleOf(method.path).responseSerialize(message)
      assert.deepEqual(plain(decodeMessage(method.response, bytes)), plain(message))
    })

  it('passes over fields that it does not know', () => {
    const type = messageType({ a: [1, 'integer'] })
    const more = messageType({ a: [1, 'integer'], b: [2, 'bytes'], c: [900, 'integer'] })
    assert.deepEqual(decodeMessage(type, encodeMessage(more, { c: 1, b: key, a: 5 })), { a: 5n })
  })

  it('refuses bytes that break off within a field, wherever they do', () => {
    const method = METHODS['/v3/kv/range']
    assert.ok(method !== undefined)
    const bytes = encodeMessage(method.response, { header: { revision: '7' }, kvs: [kv, kv] })
    for (let length = 0; length < bytes.length; length++) {
      try {
        const kvs = decodeMessage(method.response, bytes.subarray(0, length))['kvs'] ?? []
        assert.ok(Array.isArray(kvs) && kvs.length < 2)
      } catch (error) {
        assert.ok(isAvisoError(error, 'ERR_STORE_PROTOCOL'), String(error))
      }
    }
  })
})
