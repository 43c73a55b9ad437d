import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import {
  decodeEvents,
  decodeInteger,
  decodeRange,
  decodeTxn,
  encodeRange,
  encodeTxn,
  encodeWatch,
} from '#shared/store/etcd/wire.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'

const HEADER = { cluster_id: '1', revision: '9007199254740993' }
const key = toBytes('a')

describe('encodeRange()', () => {
  it('writes int64 as text, bytes as base64 with padding, and leaves out what is not given', () => {
    assert.deepEqual(encodeRange({ key: Uint8Array.of(0xff, 0xfe) }, encodeBase64), { key: '//4=' })
    const request = {
      key,
      end: Uint8Array.of(0),
      revision: 9_007_199_254_740_993n,
      limit: 5,
      sortTarget: 'MOD',
      sortOrder: 'DESCEND',
      keysOnly: true,
      minModRevision: 3n,
    } as const
    assert.deepEqual(encodeRange(request, encodeBase64), {
      key: 'YQ==',
      range_end: 'AA==',
      revision: '9007199254740993',
      limit: '5',
      sort_target: 3,
      sort_order: 2,
      keys_only: true,
      min_mod_revision: '3',
    })
  })
})

describe('encodeTxn()', () => {
  it('names the operand of a comparison by its target', () => {
    const message = encodeTxn(
      {
        compare: [
          { key, target: 'MOD', result: 'EQUAL', value: 0n },
          { key, target: 'VALUE', result: 'GREATER', value: toBytes('v') },
        ],
        success: [
          { kind: 'put', key, value: toBytes(''), lease: 7n },
          { kind: 'delete', range: { key } },
        ],
      },
      encodeBase64,
    )
    assert.deepEqual(message, {
      compare: [
        { key: 'YQ==', target: 2, result: 0, mod_revision: '0' },
        { key: 'YQ==', target: 3, result: 1, value: 'dg==' },
      ],
      success: [
        { request_put: { key: 'YQ==', value: '', lease: '7' } },
        { request_delete_range: { key: 'YQ==' } },
      ],
      failure: [],
    })
  })
})

describe('encodeWatch()', () => {
  it('asks for progress, for no start where there is none, and for fragments only where it is told to', () => {
    assert.deepEqual(encodeWatch({ range: { key }, from: undefined, isCut: false }, encodeBase64), {
      create_request: { key: 'YQ==', progress_notify: true },
    })
    assert.deepEqual(
      encodeWatch({ range: { key }, from: 5n, isCut: true }, (bytes) => bytes),
      {
        create_request: { key, start_revision: '5', progress_notify: true, fragment: true },
      },
    )
  })
})

describe('decodeRange()', () => {
  it('fills in the zeros that are left out', () => {
    assert.deepEqual(decodeRange({ header: HEADER }), {
      revision: 9_007_199_254_740_993n,
      kvs: [],
      count: 0n,
      more: false,
    })
    const [kv] = decodeRange({ header: HEADER, kvs: [{ key: 'YQ==', mod_revision: '3' }], count: '1' }).kvs
    assert.deepEqual(kv, {
      key,
      value: new Uint8Array(),
      createRevision: 0n,
      modRevision: 3n,
      version: 0n,
      lease: 0n,
    })
  })

  it('refuses answers that are none', () => {
    for (const message of [
      {},
      { header: {} },
      { header: { revision: 'x' } },
      { header: HEADER, kvs: {} },
      { header: HEADER, kvs: [1] },
      { header: HEADER, kvs: [{}] },
      { header: HEADER, kvs: [{ key: '!' }] },
      { header: HEADER, kvs: [{ key: 5 }] },
      { header: HEADER, count: '1.5' },
    ]) {
      assert.throws(() => decodeRange(message), isProtocolError, JSON.stringify(message))
    }
  })
})

describe('decodeTxn()', () => {
  const request = {
    compare: [],
    success: [{ kind: 'put', key, value: key }],
    failure: [
      { kind: 'delete', range: { key } },
      { kind: 'range', range: { key } },
    ],
  } as const

  it('reads the results of the branch that ran', () => {
    assert.deepEqual(
      decodeTxn({ header: HEADER, succeeded: true, responses: [{ response_put: {} }] }, request),
      {
        revision: 9_007_199_254_740_993n,
        succeeded: true,
        results: [{ kind: 'put' }],
      },
    )
    const failed = {
      header: HEADER,
      responses: [{ response_delete_range: {} }, { response_range: { count: '2' } }],
    }
    const { succeeded, results } = decodeTxn(failed, request)
    assert.equal(succeeded, false)
    assert.deepEqual(results[0], { kind: 'delete', deleted: 0n })
    assert.equal(results[1]?.kind === 'range' ? results[1].result.count : undefined, 2n)
  })

  it('refuses results that do not fit the operations', () => {
    const responses = [{ response_range: {} }]
    assert.throws(() => decodeTxn({ header: HEADER, succeeded: true, responses }, request), isProtocolError)
    assert.throws(() => decodeTxn({ header: HEADER, succeeded: true }, request), isProtocolError)
  })
})

describe('decodeEvents()', () => {
  it('takes an event without a type for a put', () => {
    const events = [
      { kv: { key: 'YQ==', value: 'dg==' } },
      { type: 'DELETE', kv: { key: 'YQ==', mod_revision: '4' } },
    ]
    assert.deepEqual(
      [...decodeEvents(events)].map(({ kind, kv }) => [kind, kv.modRevision, kv.value.length]),
      [
        ['put', 0n, 1],
        ['delete', 4n, 0],
      ],
    )
  })
})

describe('decodeInteger()', () => {
  it('is exact beyond 2^53 and refuses what is not exact', () => {
    assert.equal(decodeInteger('18446744073709551615'), 18_446_744_073_709_551_615n)
    assert.equal(decodeInteger(5), 5n)
    assert.equal(decodeInteger(undefined), 0n)
    for (const value of [2 ** 53, 1.5, '1e3', '', ' 1', true, null, {}])
      assert.throws(() => decodeInteger(value), isProtocolError)
  })
})

function isProtocolError(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_PROTOCOL')
}
