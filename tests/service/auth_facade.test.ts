import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createScaledClock } from '../support/clock.ts'
import { readLines } from '../support/streams.ts'
import { withSystem, type TestSystem } from './auth_fixture.ts'
import { b64, fromB64, pyavisoPull } from '../support/etcd_wire.ts'

const BASE = '/tmp/aviso/flight/'
const END = '/tmp/aviso/flight0'
const FIRST = `${BASE}20260810/italy/FCO/`

interface Kv {
  readonly key: string
  readonly value?: string
  readonly mod_revision: string
}

interface RangeAnswer {
  readonly header: Readonly<Record<string, string>>
  readonly kvs?: readonly Kv[]
  readonly count?: string
  readonly more?: boolean
}

async function range({ post }: TestSystem, body: object): Promise<RangeAnswer> {
  const response = await post('/v3/kv/range', body)
  const answer: unknown = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer as RangeAnswer
}

const pull = (fields: object): object => ({ ...pyavisoPull(BASE, END), ...fields })

function keys({ kvs = [] }: RangeAnswer): string[] {
  return kvs.map(({ key }) => fromB64(key))
}

describe('POST /v3/kv/range', () => {
  it('serves the polling of pyaviso 1.x: the newest revision, then what came behind it', () =>
    withSystem(async (test) => {
      await test.publish('old')
      const newest = await range(test, { key: b64(BASE), keys_only: true })
      const next = Number(newest.header['revision']) + 1
      assert.deepEqual(keys(await range(test, pull({ min_mod_revision: next }))), [])
      await test.publish('a')
      await test.publish('b', { size: 1 })
      await test.publish('none', null)
      const news = await range(test, pull({ min_mod_revision: next }))
      assert.deepEqual(keys(news), [`${FIRST}none`, `${FIRST}b`, `${FIRST}a`, BASE])
      assert.deepEqual(
        news.kvs?.slice(0, 3).map(({ value }) => fromB64(value)),
        ['None', '{"size":1}', 'payload of a'],
      )
    }))

  it('serves the history search of pyaviso 1.x: the status chain at old revisions', () =>
    withSystem(async (test) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      const statusAt = async (revision: number | null): Promise<Record<string, unknown>> => {
        const { kvs } = await range(test, pull({ range_end: null, revision }))
        assert.equal(kvs?.length, 1)
        const status = JSON.parse(fromB64(kvs[0]?.value)) as Record<string, unknown>
        assert.match(String(status['date_time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        return { ...status, revision: Number(kvs[0]?.mod_revision) }
      }
      const revisions: unknown[] = []
      for (let revision: unknown = null; revision !== undefined;) {
        const status = await statusAt(revision as number | null)
        revisions.push(status['revision'])
        revision = status['prev_rev']
      }
      assert.equal(revisions.length, 3)
      const [last, , first] = revisions
      const replayed = await range(test, pull({ min_mod_revision: first, max_mod_revision: last }))
      assert.deepEqual(keys(replayed), [`${FIRST}c`, `${FIRST}b`, `${FIRST}a`, BASE])
    }))

  it('serves the body of ecFlow and those of etcd tools', () =>
    withSystem(async (test) => {
      const { revision } = await test.publish('a')
      const ecflow = await range(test, { key: b64(BASE), range_end: b64(END), min_mod_revision: 1 })
      assert.deepEqual(
        [keys(ecflow), ecflow.header['revision'], ecflow.count],
        [[BASE, `${FIRST}a`], revision, '2'],
      )
      const everything = await range(test, {
        key: b64('\0'),
        range_end: b64('\0'),
        limit: '0',
        serializable: true,
      })
      assert.deepEqual(keys(everything), [BASE, `${FIRST}a`])
      const counted = await range(test, { key: b64(BASE), rangeEnd: b64(END), countOnly: true })
      assert.deepEqual([counted.kvs, counted.count], [undefined, '2'])
      const limited = await range(test, { key: b64(BASE), range_end: b64(END), limit: 1 })
      assert.deepEqual([keys(limited), limited.more], [[BASE], true])
    }))

  it('answers what 1.x clients look for where history is gone, and etcd’s own words', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const { revision } = await test.publish('b')
      await test.store.compact(BigInt(revision))
      const gone = await test.post('/v3/kv/range', pull({ revision: 2 }))
      const body = (await gone.json()) as Record<string, unknown>
      assert.deepEqual(
        [gone.status, body['message'], body['code'], body['error']],
        [400, 'History not available', 11, 'etcdserver: mvcc: required revision has been compacted'],
      )
      const future = await test.post('/v3/kv/range', pull({ revision: '99' }))
      assert.equal(future.status, 400)
      assert.match(await future.text(), /future revision/)
    }))
})

interface WatchLine {
  readonly result?: {
    readonly header: { readonly revision?: string; readonly cluster_id: string }
    readonly created?: boolean
    readonly canceled?: boolean
    readonly compact_revision?: string
    readonly events?: readonly { readonly type?: string; readonly kv: Kv }[]
  }
  readonly error?: Readonly<Record<string, unknown>>
}

async function watch({ post }: TestSystem, fields: object) {
  const response = await post('/v3/watch', {
    create_request: { key: b64(BASE), range_end: b64(END), ...fields },
  })
  assert.equal(response.status, 200)
  const lines = readLines(response)
  return {
    next: async () => JSON.parse(await lines.next()) as WatchLine,
    nextKeys: async (): Promise<string[]> => {
      const line = JSON.parse(await lines.next((text) => text.includes('"events"'))) as WatchLine
      return line.result?.events?.map(({ kv }) => fromB64(kv.key)) ?? []
    },
    rest: async () => (await lines.rest()).map((line) => JSON.parse(line) as WatchLine),
    close: () => lines.close(),
  }
}

describe('POST /v3/watch', () => {
  it('writes created first, then one line per revision', () =>
    withSystem(async (test) => {
      const { revision } = await test.publish('before')
      const stream = await watch(test, {})
      const created = await stream.next()
      assert.deepEqual([created.result?.created, created.result?.header.revision], [true, revision])
      await test.publishTogether('a', 'b')
      assert.deepEqual(await stream.nextKeys(), [`${FIRST}a`, `${FIRST}b`, BASE])
      await test.publish('c')
      const line = await stream.next()
      const [event] = line.result?.events ?? []
      assert.deepEqual(
        [event?.kv.mod_revision, fromB64(event?.kv.value), event?.type, line.result?.header.revision],
        [line.result?.header.revision, 'payload of c', undefined, event?.kv.mod_revision],
      )
      await stream.close()
    }))

  it('replays from start_revision, inclusive, and goes on live', () =>
    withSystem(async (test) => {
      const { revision } = await test.publish('a')
      await test.publish('b')
      const stream = await watch(test, { start_revision: revision })
      assert.equal((await stream.next()).result?.created, true)
      assert.deepEqual(await stream.nextKeys(), [`${FIRST}a`, BASE])
      assert.deepEqual(await stream.nextKeys(), [`${FIRST}b`, BASE])
      await test.publish('c')
      assert.deepEqual(await stream.nextKeys(), [`${FIRST}c`, BASE])
      await stream.close()
    }))

  it('carries only the keys asked for, and deletions', () =>
    withSystem(async (test) => {
      const key = `${FIRST}a`
      const stream = await watch(test, { key: b64(key), range_end: null })
      await stream.next()
      await test.publishTogether('b', 'a')
      assert.deepEqual(await stream.nextKeys(), [key])
      await test.store.txn({
        compare: [],
        success: [{ kind: 'delete', range: { key: new TextEncoder().encode(key) } }],
      })
      const line = await stream.next()
      assert.deepEqual(
        line.result?.events?.map(({ type, kv }) => [type, fromB64(kv.key), kv.value]),
        [['DELETE', key, undefined]],
      )
      await stream.close()
    }))

  it('cancels in the stream where the start is no longer kept', () =>
    withSystem(async (test) => {
      await test.publish('a')
      const { revision } = await test.publish('b')
      await test.store.compact(BigInt(revision))
      const stream = await watch(test, { start_revision: 1 })
      const [created, canceled, ...others] = await stream.rest()
      assert.equal(created?.result?.created, true)
      assert.deepEqual([canceled?.result?.canceled, canceled?.result?.compact_revision], [true, revision])
      assert.deepEqual(others, [])
    }))

  it('reports progress, and ends with an error in the form of the gateway', () =>
    withSystem(
      async (test) => {
        const { revision } = await test.publish('a')
        const stream = await watch(test, { progress_notify: true })
        const lines = await stream.rest()
        const progress = lines.slice(1, -1)
        assert.ok(progress.length > 0)
        for (const { result } of progress) {
          assert.deepEqual([result?.header.revision, Object.keys(result ?? {})], [revision, ['header']])
        }
        assert.deepEqual(lines.at(-1), {
          error: {
            grpc_code: 14,
            http_code: 503,
            http_status: 'Service Unavailable',
            message: 'stream ended: max_age',
          },
        })
      },
      { clock: createScaledClock(20), vars: { heartbeatSeconds: 2, streamMaxAgeSeconds: 7 } },
    ))
})
