/** A store moves to etcd and back with its history: positions stay valid or are refused, and every number stays what it was. */

import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { silentLogger } from '#shared/logger.ts'
import { parseJournal } from '#shared/journal/codec.ts'
import { JOURNAL_PREFIX, journalKey } from '#shared/journal/journal.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { boundsOf, revisionsOf } from '../../scripts/aviso/migrate/source.ts'
import { runClient, type ClientRun } from '../support/client_program.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const CONFIG = new URL('../../wrangler-like.config.json', import.meta.url).pathname
const STATUS = '/tmp/aviso/flight/'

async function start(context: TestContext, argv: readonly string[]): Promise<TestServer> {
  const server = await startServer({ arguments: argv })
  context.after(() => server.stop('SIGKILL'))
  await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  return server
}

async function startCluster(context: TestContext): Promise<EtcdCluster> {
  const etcd = await startTestEtcd()
  context.after(() => etcd.close())
  return etcd
}

async function publish(url: string, first: number, count: number): Promise<string> {
  let sequence = ''
  for (let index = first; index < first + count; index++) {
    const data = { event: 'flight', request: flight(`n${index % 7}`), payload: `p${index}` }
    const body = { specversion: '1.0', id: `id${index}`, source: '/tests', type: 'aviso', data }
    const answer = await fetch(`${url}/api/v1/notification`, { method: 'POST', body: JSON.stringify(body) })
    ;({ sequence } = (await answer.json()) as { sequence: string })
    assert.equal(answer.status, 200)
  }
  return sequence
}

function watch(url: string, query: string): Promise<Response> {
  return fetch(`${url}/api/v1/watch?event=flight${query}`)
}

/** Payloads and the last position of a stream, up to and including a payload. */
async function read(url: string, query: string, last: string) {
  const response = await watch(url, query)
  assert.equal(response.status, 200, query)
  const events = readEvents(response)
  const payloads: string[] = []
  const ids: string[] = []
  let cursor = ''
  while (payloads.at(-1) !== last) {
    const event = await events.next(({ data }) => data.includes('"payload"'))
    const { id, data } = JSON.parse(event.data) as { id: string; data: { payload: string } }
    payloads.push(data.payload)
    ids.push(id)
    cursor = event.id ?? ''
  }
  await events.close()
  return { payloads, ids, cursor }
}

async function withStore<Value>(
  address: string,
  dataFolder: string,
  work: (store: Store) => Promise<Value>,
): Promise<Value> {
  const platform = await detectPlatform()
  const store = await openStore(address, { platform, dataFolder, clock: systemClock, logger: silentLogger })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

function migrate(home: string, from: string, to: string, data: string): Promise<ClientRun> {
  const argv = ['--from', from, '--to', to, '--data', data, '--services-config', CONFIG]
  return runClient(['admin', 'migrate', ...argv], { home })
}

/** Every journal that can be read names the one before it, and every status document the one before it. */
async function assertChains(store: Store): Promise<void> {
  const bounds = await boundsOf(store)
  const oldest = bounds.base === 0n ? 1n : bounds.base
  const at = async (key: string, revision: Revision): Promise<Uint8Array | undefined> =>
    revision < oldest ? undefined : (await store.range({ key: toBytes(key), revision })).kvs[0]?.value
  let links = 0
  for await (const { revision, events } of revisionsOf(store, bounds)) {
    for (const { kind, kv } of events) {
      const key = toText(kv.key)
      if (kind !== 'put') continue
      if (key.startsWith(JOURNAL_PREFIX)) {
        const { prev, first_seq: first, events: own } = parseJournal(kv.value, key)
        const before = await at(key, BigInt(prev))
        if (before !== undefined) {
          const earlier = parseJournal(before, key)
          assert.equal(earlier.first_seq + earlier.events.length, first)
          links++
        }
        // A notification stands in the revision that its journal describes.
        const names = new Set(events.map((event) => toText(event.kv.key)))
        for (const event of own) assert.ok(names.has(event.key), `${event.key} at ${revision}`)
      }
      if (key === STATUS) {
        const { prev_rev: previous } = JSON.parse(toText(kv.value)) as { prev_rev?: number }
        const before = previous === undefined ? undefined : await at(key, BigInt(previous))
        if (previous !== undefined && BigInt(previous) >= oldest) assert.ok(before !== undefined)
      }
    }
  }
  assert.ok(links > 5, `${links} links`)
}

describe('aviso admin migrate', { skip: await etcdMissing() }, () => {
  it('keeps every revision and every position of a store that was never compacted', async (context) => {
    const home = await temporaryFolder(context)
    const data = join(home, 'data')
    const etcd = await startCluster(context)
    const server = await start(context, ['--data', data])
    await publish(server.url, 1, 30)
    const { cursor } = await read(server.url, '&from_id=1', 'p10')
    const busy = await migrate(home, 'embedded:', etcd.store, data)
    assert.deepEqual([busy.code, /in use by another process/.test(busy.stderr)], [2, true], busy.stderr)
    assert.equal(await server.stop(), 0)

    const done = await migrate(home, 'embedded:', etcd.store, data)
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stdout, /every position stays valid/)
    const again = await migrate(home, 'embedded:', etcd.store, data)
    assert.deepEqual([again.code, /target is not empty/.test(again.stderr)], [2, true], again.stderr)
    const next = await start(context, ['--store', etcd.store])
    assert.equal(await publish(next.url, 31, 2), '32')
    const { payloads } = await read(next.url, `&from=${cursor}`, 'p32')
    assert.deepEqual(
      payloads,
      Array.from({ length: 22 }, (_, index) => `p${index + 11}`),
    )
  })

  it('maps revisions where history was compacted, refuses positions, and comes back exactly', async (context) => {
    const home = await temporaryFolder(context)
    const data = join(home, 'data')
    const etcd = await startCluster(context)
    const server = await start(context, ['--data', data])
    await publish(server.url, 1, 40)
    const { cursor } = await read(server.url, '&from_id=1', 'p30')
    assert.equal(await server.stop(), 0)
    await withStore('embedded:', data, async (store) => {
      const { modRevision } = await journalAt(store)
      await store.compact(modRevision - 15n)
      const lease = await store.grantLease(600)
      const put = (key: string, lived = 0n) => ({
        kind: 'put' as const,
        key: toBytes(key),
        value: toBytes(`"prev_rev": ${modRevision}`),
        lease: lived,
      })
      await store.txn({ compare: [], success: [put('/leased', lease), put('/tmp/aviso/other')] })
      // More keys than one transaction of etcd takes, in one revision.
      for (const half of [0, 1])
        await store.txn({
          compare: [],
          success: Array.from({ length: 100 }, (_, index) => put(`/many/${half}/${index}`)),
        })
      await store.txn({ compare: [], success: [{ kind: 'delete', range: prefixRange('/many/') }] })
    })

    // An epoch alone is no store.
    await withStore(etcd.store, '', (store) =>
      store.txn({
        compare: [],
        success: [{ kind: 'put', key: toBytes('/_aviso/epoch'), value: toBytes('another') }],
      }),
    )
    const done = await migrate(home, 'embedded:', etcd.store, data)
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stdout, /positions are refused, numbers and dates stay valid/)
    await withStore(etcd.store, '', async (store) => {
      await assertChains(store)
      const [leased] = (await store.range({ key: toBytes('/leased') })).kvs
      assert.ok(leased !== undefined && leased.lease !== 0n)
      const [other] = (await store.range({ key: toBytes('/tmp/aviso/other') })).kvs
      assert.match(toText(other?.value ?? toBytes('')), /^"prev_rev": \d+$/)
      assert.equal((await store.range({ ...prefixRange('/many/'), countOnly: true })).count, 0n)
      const left = await leaseLeft(etcd, leased.lease)
      assert.ok(left > 500 && left <= 600, `${left}`)
    })
    const middle = await start(context, ['--store', etcd.store])
    const refused = await watch(middle.url, `&from=${cursor}`)
    assert.equal(refused.status, 410, await refused.text())
    assert.equal(await publish(middle.url, 41, 3), '43', 'numbers go on')
    const late = await read(middle.url, '&from_id=35', 'p43')
    assert.deepEqual(
      late.ids,
      Array.from({ length: 9 }, (_, index) => `flight@${index + 35}`),
    )
    const place = await read(middle.url, '&from_id=36', 'p38')
    assert.equal(await middle.stop(), 0)

    const back = join(home, 'back')
    const returned = await migrate(home, etcd.store, 'embedded:', back)
    assert.equal(returned.code, 0, returned.stderr)
    assert.match(returned.stdout, /every position stays valid/)
    assert.deepEqual(await readdir(back), ['aviso.sqlite'])
    const last = await start(context, ['--data', back])
    assert.equal(await publish(last.url, 44, 1), '44')
    const rest = await read(last.url, `&from=${place.cursor}`, 'p44')
    assert.deepEqual(rest.payloads, ['p39', 'p40', 'p41', 'p42', 'p43', 'p44'])
    assert.equal(await last.stop(), 0)
    const heads = await withStore('embedded:', back, async (store) => {
      await assertChains(store)
      return (await store.range({ key: toBytes('/leased') })).kvs
    })
    assert.equal(heads[0]?.lease, 1n)
  })

  it('refuses what it cannot do, and changes nothing', async (context) => {
    const home = await temporaryFolder(context)
    const data = join(home, 'none')
    for (const [from, to, said] of [
      ['embedded:', 'http://127.0.0.1:1', /There is no store in/],
      ['embedded:', 'embedded:', /Both stores are embedded/],
      ['embedded:memory', 'http://127.0.0.1:1', /keeps nothing/],
      ['http://127.0.0.1:1', 'http://127.0.0.1:1', /the same one/],
      ['ftp://127.0.0.1:1', 'embedded:', /Cannot use "ftp/],
    ] as const) {
      const { code, stderr } = await migrate(home, from, to, data)
      assert.deepEqual([code, said.test(stderr)], [2, true], stderr)
    }
    assert.deepEqual(await readdir(home), [])
  })
})

async function journalAt(store: Store) {
  const [kv] = (await store.range({ key: toBytes(journalKey('flight')) })).kvs
  assert.ok(kv !== undefined)
  return kv
}

/** Seconds that a lease still lasts, by etcd itself. */
async function leaseLeft(etcd: EtcdCluster, id: bigint): Promise<number> {
  const response = await fetch(`${etcd.endpoints[0]}/v3/lease/timetolive`, {
    method: 'POST',
    body: JSON.stringify({ ID: id.toString() }),
  })
  return Number(((await response.json()) as { TTL: string }).TTL)
}
