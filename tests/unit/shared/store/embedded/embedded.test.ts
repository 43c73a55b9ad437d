import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'node:test'
import { HistoryCompacted, isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { Store, TxnResult, WatchMessage } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import { createFaultyDatabase, type FaultyDatabase } from './support.ts'

const EVERYTHING = { key: new Uint8Array([0]), end: END_OF_KEYS }

const put = (
  store: Store,
  key: string,
  value: string | Uint8Array = 'v',
  signal?: AbortSignal,
): Promise<TxnResult> =>
  store.txn(
    {
      compare: [],
      success: [
        { kind: 'put', key: toBytes(key), value: typeof value === 'string' ? toBytes(value) : value },
      ],
    },
    signal === undefined ? {} : { signal },
  )

async function names(store: Store): Promise<string> {
  return (await store.range(EVERYTHING)).kvs.map(({ key }) => toText(key)).join(' ')
}

async function codeOf(call: Promise<unknown>): Promise<AvisoErrorCode | 'done'> {
  try {
    await call
    return 'done'
  } catch (error) {
    assert.ok(isAvisoError(error), String(error))
    return error.code
  }
}

function openFaulty(): { store: Store; database: FaultyDatabase } {
  const database = createFaultyDatabase(openSqlite(':memory:'))
  const store = openEmbeddedStore(database, { clock: systemClock })
  database.transactions = 0
  return { store, database }
}

/** The next message that is no progress. */
async function nextOf(iterator: AsyncIterator<WatchMessage>): Promise<WatchMessage> {
  const { done, value } = await iterator.next()
  assert.ok(done !== true)
  return value.kind === 'progress' ? nextOf(iterator) : value
}

describe('openEmbeddedStore()', () => {
  it('refuses tables of another version', async () => {
    const database = openSqlite(':memory:')
    openEmbeddedStore({ ...database, close: () => undefined }, { clock: systemClock })
    database.run(`UPDATE meta SET value = 999 WHERE name = 'schema'`)
    assert.throws(
      () => openEmbeddedStore(database, { clock: systemClock }),
      (error) => isAvisoError(error, 'ERR_CONFIG'),
    )
  })

  it('needs no timer while there is no lease and no watch', async () => {
    const clock = createManualClock()
    const store = openEmbeddedStore(openSqlite(':memory:'), { clock })
    assert.equal(clock.timers, 0)
    const watch = store.watch(EVERYTHING)[Symbol.asyncIterator]()
    await watch.next()
    assert.equal(clock.timers, 1)
    await watch.return?.()
    assert.equal(clock.timers, 0)
    await watch.next()
    const other = store.watch(EVERYTHING)[Symbol.asyncIterator]()
    await other.next()
    const lease = store.grantLease(1)
    await store.close()
    await lease
    assert.equal(clock.timers, 0)
  })
})

describe('openEmbeddedStore() group commit', () => {
  it('commits what arrives together as one transaction, each with its revision', async () => {
    const { store, database } = openFaulty()
    const results = await Promise.all(Array.from({ length: 64 }, (_, index) => put(store, `${index}`)))
    assert.equal(database.transactions, 1)
    assert.deepEqual(
      results.map(({ revision }) => revision),
      Array.from({ length: 64 }, (_, index) => BigInt(index + 2)),
    )
    await store.close()
  })

  it('drops a write that is given up while it waits', async () => {
    const { store } = openFaulty()
    const stop = new AbortController()
    const [kept, dropped] = [put(store, 'kept'), put(store, 'dropped', 'v', stop.signal)]
    stop.abort()
    assert.deepEqual([await codeOf(kept), await codeOf(dropped)], ['done', 'ERR_STORE_UNAVAILABLE'])
    assert.equal(await names(store), 'kept')
    await store.close()
  })

  it('bounds what waits', async () => {
    const { store } = openFaulty()
    const large = new Uint8Array(1_000_000)
    const codes = await Promise.all(
      Array.from({ length: 80 }, (_, index) => codeOf(put(store, `${index}`, large))),
    )
    const done = codes.filter((code) => code === 'done').length
    assert.ok(done > 40 && done < 80, `${done} done`)
    assert.ok(codes.every((code) => code === 'done' || code === 'ERR_STORE_UNAVAILABLE'))
    assert.equal((await store.range({ ...EVERYTHING, countOnly: true })).count, BigInt(done))
    await store.close()
  })

  it('finishes what waits when it is closed', async () => {
    const { store } = openFaulty()
    const written = put(store, 'a')
    await store.close()
    assert.equal((await written).revision, 2n)
  })
})

describe('openEmbeddedStore() failures of the disk', () => {
  const disk = new Error('disk I/O error')
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 })

  for (const [error, code] of [
    [disk, 'ERR_STORE_UNAVAILABLE'],
    [full, 'ERR_STORE_FULL'],
    [new Error('SQLITE_FULL: no room'), 'ERR_STORE_FULL'],
  ] as const) {
    it(`changes nothing when a write fails: ${error.message}`, async () => {
      const { store, database } = openFaulty()
      await put(store, 'before')
      database.failWrite = error
      assert.deepEqual(await Promise.all([codeOf(put(store, 'a')), codeOf(put(store, 'b'))]), [code, code])
      assert.equal(await names(store), 'before')
      assert.equal((await put(store, 'after')).revision, 3n)
      assert.equal(await names(store), 'after before')
      await store.close()
    })
  }

  it('says that it does not know when a commit fails that was undone', async () => {
    const { store, database } = openFaulty()
    database.failCommit = { error: disk, committed: false }
    assert.equal(await codeOf(put(store, 'a')), 'ERR_OUTCOME_UNKNOWN')
    assert.equal((await store.status()).revision, 1n)
    assert.equal(await names(store), '')
    await store.close()
  })

  it('says that it does not know when a commit fails that was done, and shows what is on disk', async () => {
    const { store, database } = openFaulty()
    const watch = store.watch(EVERYTHING)[Symbol.asyncIterator]()
    await watch.next()
    await put(store, 'a')
    const first = nextOf(watch)
    const second = first.then(() => nextOf(watch))
    await first
    database.failCommit = { error: disk, committed: true }
    assert.equal(await codeOf(put(store, 'b')), 'ERR_OUTCOME_UNKNOWN')
    assert.equal((await store.status()).revision, 3n)
    const seen = []
    for (let count = 0; count < 3; count++) {
      if (count === 2) await put(store, 'c')
      const message = await ([first, second][count] ?? nextOf(watch))
      if (message.kind === 'revision')
        seen.push(`${message.revision}:${toText(message.events[0]?.kv.key ?? toBytes(''))}`)
    }
    assert.deepEqual(seen, ['2:a', '3:b', '4:c'])
    await store.close()
  })

  it('is out of room when a commit finds none', async () => {
    const { store, database } = openFaulty()
    database.failCommit = { error: full, committed: false }
    assert.equal(await codeOf(put(store, 'a')), 'ERR_STORE_FULL')
    await store.close()
  })

  it('tries again to end a lease', async () => {
    const clock = createManualClock()
    const database = createFaultyDatabase(openSqlite(':memory:'))
    const store = openEmbeddedStore(database, { clock })
    const lease = await store.grantLease(1)
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes('a'), value: toBytes('v'), lease }],
    })
    database.failCommit = { error: disk, committed: false }
    await clock.advance(1_000)
    assert.equal(database.failCommit, undefined)
    assert.equal(await names(store), 'a')
    await clock.advance(250)
    assert.equal(await names(store), '')
    await store.close()
  })
})

describe('openEmbeddedStore() watch()', () => {
  it('gives pages of history bounded in bytes, and everything', async () => {
    const { store } = openFaulty()
    for (let index = 0; index < 12; index++) await put(store, 'a', new Uint8Array(1_000_000).fill(index))
    for (const range of [EVERYTHING, { key: toBytes('a') }]) {
      const watch = store.watch({ ...range, from: 2n })[Symbol.asyncIterator]()
      await watch.next()
      for (let index = 0; index < 12; index++) {
        const message = await nextOf(watch)
        assert.ok(message.kind === 'revision' && message.events[0]?.kv.value[0] === index)
      }
      await watch.return?.()
    }
    await store.close()
  })

  it('gives a revision whole that is larger than a page', async () => {
    const { store } = openFaulty()
    for (let batch = 0; batch < 20; batch++) {
      const success = Array.from({ length: 125 }, (_, index) => ({
        kind: 'put' as const,
        key: toBytes(`p/${batch}/${index}`),
        value: toBytes(''),
      }))
      await store.txn({ compare: [], success })
    }
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'delete', range: prefixRange('p/') }],
    })
    await put(store, 'last')
    // Away from the ring, so that it comes from the tables.
    for (let index = 0; index < 5_000; index++) void put(store, 'pushes the ring on')
    await put(store, 'pushed')
    const watch = store.watch({ ...prefixRange('p/'), from: revision })[Symbol.asyncIterator]()
    await watch.next()
    const message = await nextOf(watch)
    assert.ok(message.kind === 'revision')
    assert.deepEqual([message.revision, message.events.length], [revision, 2_500])
    assert.ok(message.events.every(({ kind }) => kind === 'delete'))
    await store.close()
  })

  it('tells a watch that compaction has overtaken', async () => {
    const { store } = openFaulty()
    const watch = store.watch(EVERYTHING)[Symbol.asyncIterator]()
    await watch.next()
    for (let index = 0; index < 5_000; index++) void put(store, 'a')
    const { revision } = await put(store, 'a')
    await store.compact(revision)
    await assert.rejects(nextOf(watch), (error) => {
      assert.ok(error instanceof HistoryCompacted)
      assert.equal(error.oldest, revision)
      return true
    })
    assert.equal((await watch.next()).done, true)
    await store.close()
  })

  it('says how far it is when it is idle', async () => {
    const clock = createManualClock()
    const store = openEmbeddedStore(openSqlite(':memory:'), { clock })
    const watch = store.watch({ key: toBytes('quiet') })[Symbol.asyncIterator]()
    await watch.next()
    await put(store, 'other')
    const pending = watch.next()
    await clock.advance(5_000)
    assert.deepEqual((await pending).value, { kind: 'progress', revision: 2n })
    await store.close()
  })
})

describe('openEmbeddedStore() compact()', () => {
  it('drops superseded versions and old deletions only, and lets writers in between', async () => {
    const { store, database } = openFaulty()
    for (let round = 0; round < 30; round++) {
      const success = Array.from({ length: 100 }, (_, index) => ({
        kind: 'put' as const,
        key: toBytes(`${index}`),
        value: toBytes(`${round}`),
      }))
      await store.txn({ compare: [], success })
    }
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'delete', range: { key: toBytes('0') } }],
    })
    await put(store, 'x')
    const last = (await put(store, 'x')).revision
    const order: string[] = []
    const compacted = store.compact(revision + 1n).then(() => order.push('compacted'))
    const written = put(store, 'meanwhile').then(() => order.push('written'))
    await Promise.all([compacted, written])
    assert.deepEqual(order, ['written', 'compacted'])
    // 99 keys, two versions of x, "meanwhile"; the deletion of "0" is older than the oldest readable revision.
    assert.equal(database.all('SELECT count(*) AS count FROM events')[0]?.['count'], 102)
    const old = await store.range({ ...EVERYTHING, revision: revision + 1n })
    assert.deepEqual([old.count, toText(old.kvs[0]?.value ?? toBytes(''))], [100n, '29'])
    await store.compact(last)
    assert.equal(database.all('SELECT count(*) AS count FROM events')[0]?.['count'], 101)
    assert.equal((await store.range({ ...EVERYTHING, revision: last })).count, 100n)
    await store.close()
  })

  it('makes the file smaller', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-embedded-'))
    const store = openEmbeddedStore(openSqlite(join(folder, 'store.sqlite')), {
      clock: systemClock,
    })
    for (let round = 0; round < 20; round++) await put(store, 'a', new Uint8Array(500_000))
    const before = await store.status()
    assert.ok(before.sizeBytes > 10_000_000)
    await store.compact(before.revision)
    assert.ok((await store.status()).sizeBytes < 1_000_000)
    await store.close()
    await rm(folder, { recursive: true })
  })
})

describe('openEmbeddedStore() in memory', () => {
  it('ends leases by the clock it was given, and stops its timer when there are none', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    assert.equal(clock.timers, 0)
    const lease = await store.grantLease(10)
    assert.equal(clock.timers, 1)
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes('a'), value: toBytes('v'), lease }],
    })
    const pass = async (ms: number): Promise<bigint> => {
      await clock.advance(ms)
      await store.txn({ compare: [], success: [] })
      return (await store.range({ key: toBytes('a') })).count
    }
    clock.jump(3_600_000)
    assert.equal(await pass(9_999), 1n)
    clock.jump(-7_200_000)
    assert.equal(await pass(1), 0n)
    assert.equal(clock.timers, 0)
    await store.close()
  })

  it('keeps what was written when the caller reuses its buffers', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const [key, value] = [toBytes('a'), toBytes('v')]
    const watch = store.watch({ ...EVERYTHING, from: 2n })[Symbol.asyncIterator]()
    await watch.next()
    const written = store.txn({ compare: [], success: [{ kind: 'put', key, value }] })
    await written
    key[0] = 0x62
    value[0] = 0x77
    const { kvs } = await store.range(EVERYTHING)
    const message = await nextOf(watch)
    assert.ok(message.kind === 'revision')
    for (const kv of [kvs[0], message.events[0]?.kv])
      assert.deepEqual(kv && toText(kv.key) + toText(kv.value), 'av')
    await store.close()
  })
})

describe('openEmbeddedStore() crash', () => {
  it('has every acknowledged write after the process was killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-embedded-'))
    const path = join(folder, 'store.sqlite')
    const flags = 'Deno' in globalThis ? ['run', '--no-check', '-A'] : []
    const child = spawn(process.execPath, [
      ...flags,
      new URL('crash_writer.ts', import.meta.url).pathname,
      path,
    ])
    let acknowledged = ''
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', resolve)
      child.stdout.on('data', (chunk: Uint8Array) => {
        acknowledged += toText(chunk)
        if (acknowledged.length > 20_000) child.kill('SIGKILL')
      })
    })
    const lines = acknowledged.split('\n').slice(0, -1)
    assert.ok(lines.length > 1_000)
    const store = openEmbeddedStore(openSqlite(path), { clock: systemClock })
    const { kvs, revision } = await store.range(EVERYTHING)
    const found = new Map(kvs.map((kv) => [toText(kv.key), kv.modRevision]))
    for (const line of lines) {
      const [key = '', written = ''] = line.split(' ')
      assert.equal(found.get(key), BigInt(written), key)
    }
    assert.equal(revision, BigInt(kvs.length) + 1n)
    assert.ok((await put(store, 'after')).revision === revision + 1n)
    await store.close()
    await rm(folder, { recursive: true })
  })
})
