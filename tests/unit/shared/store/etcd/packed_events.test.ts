import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { decodeWatchMessage, PackedEvents } from '#shared/store/etcd/packed_events.ts'
import type { StoreEvent } from '#shared/store/store.ts'

interface Codec {
  readonly requestSerialize: (message: object) => Uint8Array
  readonly responseSerialize: (message: object) => Uint8Array
}

/** The encoder that etcd3 uses, made from etcd's own files: the oracle. */
async function encoder(): Promise<(message: object) => Uint8Array> {
  const require = createRequire(import.meta.url)
  const etcd3 = require.resolve('etcd3')
  const loader = createRequire(etcd3)('@grpc/proto-loader') as {
    load: (path: string, options: object) => Promise<Record<string, Record<string, Codec>>>
  }
  const folder = join(dirname(etcd3), '..', 'proto')
  const services = await loader.load(join(folder, 'rpc.proto'), {
    keepCase: true,
    longs: String,
    includeDirs: [folder],
  })
  const codec = services['etcdserverpb.Watch']?.['Watch'] ?? services['etcdserverpb.Watch']?.['watch']
  assert.ok(codec !== undefined)
  return codec.responseSerialize
}

function eventsOf(message: Readonly<Record<string, unknown>>): StoreEvent[] {
  const { events } = message
  assert.ok(events instanceof PackedEvents)
  return [...events]
}

const encode = await encoder()
const LARGE = '9223372036854775807'

function put(key: string, revision: string, more: object = {}): object {
  return {
    type: 0,
    kv: {
      key: toBytes(key),
      value: toBytes(`${key}!`),
      create_revision: '1',
      mod_revision: revision,
      version: '2',
      ...more,
    },
  }
}

describe('decodeWatchMessage()', () => {
  it('reads what etcd says about a watch', () => {
    const bytes = encode({
      header: {
        cluster_id: '18446744073709551615',
        member_id: '3',
        revision: '9007199254740993',
        raft_term: '2',
      },
      watch_id: '-1',
      created: true,
      canceled: true,
      compact_revision: '300',
      cancel_reason: 'etcdserver: é',
      fragment: true,
    })
    assert.deepEqual(decodeWatchMessage(bytes), {
      header: { cluster_id: 18_446_744_073_709_551_615n, revision: 9_007_199_254_740_993n },
      created: true,
      canceled: true,
      compact_revision: 300n,
      cancel_reason: 'etcdserver: é',
      fragment: true,
    })
  })

  it('reads events of several revisions, each with its own bytes', () => {
    const bytes = encode({
      header: { revision: '7' },
      events: [
        put('a', '5', { lease: LARGE }),
        put('b', '5', { value: new Uint8Array(0) }),
        { type: 1, kv: { key: toBytes('a'), mod_revision: '6' }, prev_kv: { key: toBytes('z') } },
        put('c', LARGE),
      ],
    })
    const events = eventsOf(decodeWatchMessage(bytes))
    const shown = events.map(({ kind, kv }) => [
      kind,
      toText(kv.key),
      toText(kv.value),
      kv.createRevision,
      kv.modRevision,
      kv.version,
      kv.lease,
    ])
    assert.deepEqual(shown, [
      ['put', 'a', 'a!', 1n, 5n, 2n, BigInt(LARGE)],
      ['put', 'b', '', 1n, 5n, 2n, 0n],
      ['delete', 'a', '', 0n, 6n, 0n, 0n],
      ['put', 'c', 'c!', 1n, BigInt(LARGE), 2n, 0n],
    ])
    // Nothing may keep a message of many megabytes in memory.
    for (const { kv } of events) assert.ok(kv.key.buffer.byteLength < bytes.buffer.byteLength)
  })

  it('refuses bytes that break off, wherever they do', () => {
    const bytes = encode({ header: { revision: '300' }, events: [put('a', '5'), put('b', '600')] })
    const whole = eventsOf(decodeWatchMessage(bytes)).length
    for (let length = 1; length < bytes.length; length++) {
      try {
        const { events } = decodeWatchMessage(bytes.subarray(0, length))
        const found = events instanceof PackedEvents ? [...events].length : 0
        // It broke off between two fields, which nobody can see.
        assert.ok(found < whole)
      } catch (error) {
        assert.ok(isAvisoError(error, 'ERR_STORE_PROTOCOL'), `${length}: ${String(error)}`)
      }
    }
  })

  it('refuses what is no message', () => {
    const refused = [
      [0xff],
      [0x0a, 0xff],
      [0x0b],
      [0x5a, 0x02, 0x08, 0x01],
      [0x5a, 0x02, 0x12, 0x00],
      [0x08, ...Array.from({ length: 11 }, () => 0x80)],
    ]
    for (const bytes of refused)
      assert.throws(
        () => {
          const { events } = decodeWatchMessage(Uint8Array.from(bytes))
          if (events instanceof PackedEvents) assert.fail(`${[...events].length} events`)
        },
        (error) => isAvisoError(error, 'ERR_STORE_PROTOCOL'),
        `${bytes.join(' ')}`,
      )
  })
})
