import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { RangeRequest, Store, StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import { StoreModel } from './model.ts'
import { createFaultyDatabase } from './support.ts'

/** More than a step through keys and through time reads, several times. */
const KEYS = 1_300
const OPERATIONS = 120

const put = (key: string, value = 'v'): StoreOperation => ({
  kind: 'put',
  key: toBytes(key),
  value: toBytes(value),
})
const remove = (key: string): StoreOperation => ({ kind: 'delete', range: { key: toBytes(key) } })

async function write(store: Store, ...success: StoreOperation[]): Promise<bigint> {
  return (await store.txn({ compare: [], success })).revision
}

/** Writes the same into a store and, where it is given, a model. */
async function fill(store: Store, model?: StoreModel): Promise<void> {
  const both = async (success: StoreOperation[]): Promise<void> => {
    await store.txn({ compare: [], success })
    model?.txn({ compare: [], success })
  }
  let operations: StoreOperation[] = []
  for (let round = 0; round < 3; round++) {
    for (let index = round; index < KEYS; index += round + 1) {
      const key = `p/${(index * 7919) % KEYS}`
      operations.push((index + round) % 11 === 5 ? remove(key) : put(key, `${(index * 31) % 97}`))
      if (operations.length < OPERATIONS) continue
      await both([...operations, put('journal', `${round}/${index}`)])
      operations = []
    }
    await both([...operations, put('q', `${round}`)])
    operations = []
  }
}

/** A database in memory that says how many statements ran and how many rows came back. */
function createCountingDatabase(): { readonly database: SqlDatabase; readonly used: { statements: number } } {
  const inner = openSqlite(':memory:')
  const used = { statements: 0 }
  const database = {
    ...inner,
    all: (sql: string, ...parameters: Parameters<SqlDatabase['all']>[1][]) => {
      used.statements++
      return inner.all(sql, ...parameters)
    },
  }
  return { database, used }
}

describe('openEmbeddedStore() range() over many keys', () => {
  it('answers as a list of all history would, in every order and with every filter', async () => {
    const [store, model] = [createMemoryStore({ clock: systemClock }), new StoreModel()]
    await fill(store, model)
    const { revision: newest } = await store.range({ key: toBytes('q') })
    const middle = newest / 2n
    for (const sortTarget of ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'] as const)
      for (const sortOrder of ['ASCEND', 'DESCEND'] as const)
        for (const limit of [0, 100])
          for (const filter of [
            {},
            { minModRevision: newest - 1n },
            { minModRevision: 3n, maxModRevision: newest - 3n },
            { minCreateRevision: 5n, maxCreateRevision: middle },
            { revision: middle },
            { revision: middle, minModRevision: middle - 2n, keysOnly: true },
          ] satisfies Partial<RangeRequest>[]) {
            const request = { ...prefixRange('p/'), sortTarget, sortOrder, limit, ...filter }
            assert.deepEqual(
              await store.range(request),
              model.range(request),
              JSON.stringify(limit) + sortTarget,
            )
          }
    await store.close()
  })

  it('sorts the keys of one revision, though a step through time ends in it', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const names = Array.from({ length: 120 }, (_, index) => `p/${999 - index}`)
    for (let round = 0; round < 12; round++)
      await write(store, ...names.map((name) => put(`${name}/${round}`)))
    for (const [sortOrder, round] of [
      ['ASCEND', 8],
      ['DESCEND', 3],
    ] as const) {
      const request = { ...prefixRange('p/'), sortTarget: 'MOD', sortOrder, limit: 970 } as const
      const { kvs } = await store.range({ ...request, minModRevision: 1n })
      assert.deepEqual(
        kvs.slice(960).map(({ key }) => toText(key)),
        names
          .slice(-10)
          .toReversed()
          .map((name) => `${name}/${round}`),
      )
    }
    await store.close()
  })

  it('counts as a list of all history would, whatever was asked before and is written meanwhile', async () => {
    const [store, model] = [createMemoryStore({ clock: systemClock }), new StoreModel()]
    await fill(store, model)
    const ranges = [prefixRange('p/'), prefixRange('p/1'), { key: toBytes('p/5'), end: END_OF_KEYS }]
    for (let round = 0; round < 12; round++) {
      const success = [put(`p/1/${round}`), remove(`p/${round * 3}`), put(`p/new/${round}`)]
      const [first, second] = [
        store.txn({ compare: [], success }),
        store.range({ ...prefixRange('p/'), countOnly: true }),
      ]
      model.txn({ compare: [], success })
      await Promise.all([first, second])
      for (const range of ranges) {
        const request = { ...range, countOnly: true }
        assert.deepEqual(await store.range(request), model.range(request))
        const past = { ...request, revision: BigInt(3 + round) }
        assert.deepEqual(await store.range(past), model.range(past))
      }
    }
    await store.close()
  })

  it('tells of keys that it counts, and of none where it remembers their count', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await fill(store)
    const told: number[] = []
    const read = async (): Promise<bigint> => {
      const options = { onCounted: (keys: number) => void told.push(keys) }
      return (await store.range({ ...prefixRange('p/'), limit: 1 }, options)).count
    }
    const count = Number(await read())
    await write(store, put('p/new'))
    await read()
    assert.equal(
      told.reduce((sum, keys) => sum + keys, 0),
      count,
    )
    await store.close()
  })

  it('pages through keys at one revision, with the count of what is left', async () => {
    const [store, model] = [createMemoryStore({ clock: systemClock }), new StoreModel()]
    await fill(store, model)
    const { end } = prefixRange('p/')
    let { key } = prefixRange('p/')
    const { revision } = await store.range({ key: toBytes('q') })
    for (let page = 0; ; page++) {
      const request = { key, end, limit: 100, revision }
      const answer = await store.range(request)
      assert.deepEqual(answer.kvs, model.range(request).kvs)
      assert.equal(answer.count, model.range(request).count)
      await write(store, put(`p/0/${page}`))
      const last = answer.kvs.at(-1)
      if (!answer.more || last === undefined) break
      key = toBytes(`${toText(last.key)}\0`)
    }
    await store.close()
  })

  it('remembers no count of a transaction that was undone', async () => {
    const database = createFaultyDatabase(openSqlite(':memory:'))
    const store = openEmbeddedStore(database, { clock: systemClock })
    await write(store, ...['a', 'b', 'c', 'd', 'e'].map((name) => put(`p/${name}`)))
    const page = { ...prefixRange('p/'), limit: 2 }
    database.failCommit = { error: new Error('disk I/O error'), committed: false }
    await assert.rejects(write(store, put('p/x'), put('p/y'), { kind: 'range', range: page }))
    await write(store, put('q'))
    assert.equal((await store.range(page)).count, 5n)
    assert.equal((await store.range({ ...page, key: toBytes('p/b\0') })).count, 3n)
    await store.close()
  })

  it('answers a poll without news, and one key of a prefix, without looking at the others', async () => {
    const { database, used } = createCountingDatabase()
    const store = openEmbeddedStore(database, { clock: systemClock })
    await fill(store)
    const newest = await write(store, put('p/now'))
    const poll = {
      ...prefixRange('p/'),
      sortTarget: 'MOD',
      limit: 1_000,
      minModRevision: newest + 1n,
    } as const
    const { count } = await store.range(poll)
    used.statements = 0
    assert.deepEqual(await store.range(poll), { revision: newest, kvs: [], count, more: false })
    assert.equal(used.statements, 0)
    const later = await write(store, put('p/later'))
    used.statements = 0
    const { kvs } = await store.range(poll)
    assert.deepEqual([kvs.map((kv) => toText(kv.key)), later], [['p/later'], newest + 1n])
    assert.ok(used.statements <= 3, `${used.statements} statements`)
    await store.close()
  })

  it('does not look at the old versions of a key', async () => {
    const { database, used } = createCountingDatabase()
    const store = openEmbeddedStore(database, { clock: systemClock })
    for (let index = 0; index < 20; index++)
      await Promise.all(Array.from({ length: 500 }, () => write(store, put('p/hot'))))
    await write(store, put('p/cold'), put('p/other'))
    used.statements = 0
    assert.equal((await store.range(prefixRange('p/'))).kvs.length, 3)
    assert.ok(used.statements <= 3, `${used.statements} statements`)
    await store.close()
  })

  it('lets writers in between, and answers at the revision at which it began, though that is compacted meanwhile', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const [model, { key, end }] = [new StoreModel(), prefixRange('p/')]
    await fill(store, model)
    const expected = model.range({ key, end })
    let isAnswered = false
    const answer = store.range({ key, end }).then((result) => {
      isAnswered = true
      return result
    })
    await write(store, ...expected.kvs.slice(-100).map((kv) => put(toText(kv.key), 'written meanwhile')))
    const last = await write(store, remove(toText(expected.kvs.at(-1)?.key ?? key)))
    const compacted = store.compact(last)
    await nextTurn()
    assert.equal(isAnswered, false)
    assert.deepEqual(await answer, expected)
    await compacted
    const after = await store.range({ key, end })
    assert.equal(after.count, expected.count - 1n)
    await store.close()
  })

  it('ends a read that is given up between two steps', async () => {
    const store = createMemoryStore({ clock: systemClock })
    await fill(store)
    const stop = new AbortController()
    const answer = store.range(prefixRange('p/'), { signal: stop.signal })
    stop.abort()
    await assert.rejects(answer, (error) => isAvisoError(error, 'ERR_STORE_UNAVAILABLE'))
    await store.close()
  })
})

describe('openEmbeddedStore() ids of events', () => {
  it('are exact where a number is not', async () => {
    const database = openSqlite(':memory:')
    const kept = { ...database, close: () => undefined }
    const first = openEmbeddedStore(kept, { clock: systemClock })
    await write(first, put('a', '1'), put('b', '1'), put('c', '1'))
    await first.close()
    // 2^40: its ids are around 2^60.
    database.run('UPDATE events SET id = id + (1099511627776 << 20)')
    database.run('DELETE FROM events WHERE key = ?', toBytes('a'))
    const store = openEmbeddedStore(database, { clock: systemClock })
    const before = 2n ** 40n + 2n
    assert.equal((await store.status()).revision, before)
    const revision = await write(store, put('x'), put('y'), remove('c'), put('z'))
    assert.equal(revision, before + 1n)
    assert.equal(await write(store, put('x', 'again'), put('new')), before + 2n)
    const request = { key: toBytes('x'), end: toBytes('zz') }
    const now = await store.range({ ...request, minModRevision: revision, sortTarget: 'MOD' })
    assert.deepEqual(
      now.kvs.map((kv) => `${toText(kv.key)}@${kv.modRevision - before}`),
      ['y@1', 'z@1', 'x@2'],
    )
    const then = await store.range({ ...request, revision })
    assert.deepEqual(
      then.kvs.map((kv) => `${toText(kv.key)}@${kv.modRevision - before}`),
      ['x@1', 'y@1', 'z@1'],
    )
    const events: string[] = []
    for await (const message of store.watch({ key: toBytes('c'), end: END_OF_KEYS, from: revision })) {
      if (message.kind === 'revision')
        events.push(...message.events.map(({ kind, kv }) => `${kind} ${toText(kv.key)}`))
      if (events.length >= 6) break
    }
    assert.deepEqual(events, ['put x', 'put y', 'delete c', 'put z', 'put x', 'put new'])
    await store.compact(before + 2n)
    assert.equal(database.all('SELECT count(*) AS count FROM events')[0]?.['count'], 5)
    await store.close()
  })
})

describe('openEmbeddedStore() deletions of very many keys', () => {
  it('refuses more than a revision holds, before anything is deleted, and does them in parts', async () => {
    const database = openSqlite(':memory:')
    await openEmbeddedStore({ ...database, close: () => undefined }, { clock: systemClock }).close()
    // Their checksums are wrong, but nobody reads their values.
    database.run(
      `INSERT INTO events (id, created, version, lease, sum, key) SELECT (3 << 20) + 2 * value, 3, 1, 0, 0, CAST(printf('p/%06d', value) AS BLOB)
        FROM (WITH RECURSIVE n (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < ${2 ** 19}) SELECT value FROM n)`,
    )
    const store = openEmbeddedStore(database, { clock: systemClock })
    const deleteAll = (prefix: string): StoreOperation => ({ kind: 'delete', range: prefixRange(prefix) })
    const before = (await store.status()).revision
    await assert.rejects(write(store, put('before'), deleteAll('p/')), (error) => {
      assert.ok(isAvisoError(error, 'ERR_TOO_LARGE'), String(error))
      assert.match(error.message, /at most 524288 keys: delete them in smaller ranges/)
      return true
    })
    assert.equal((await store.status()).revision, before)
    assert.equal((await store.range({ key: toBytes('before') })).count, 0n)
    const { results } = await store.txn({ compare: [], success: [deleteAll('p/00')] })
    assert.deepEqual(results, [{ kind: 'delete', deleted: 10_000n }])
    await store.close()
  })

  it('ends a lease of many keys in several revisions', async () => {
    const clock = createManualClock()
    const store = createMemoryStore({ clock })
    const lease = await store.grantLease(1)
    for (let index = 0; index < 10_100; index += 100)
      await write(
        store,
        ...Array.from(
          { length: 100 },
          (_, offset) => ({ ...put(`p/${index + offset}`), lease }) as StoreOperation,
        ),
      )
    const { revision } = await store.status()
    await clock.advance(1_000)
    assert.equal((await store.range({ ...prefixRange('p/'), countOnly: true })).count, 100n)
    await clock.advance(250)
    assert.equal((await store.range({ ...prefixRange('p/'), countOnly: true })).count, 0n)
    assert.equal((await store.status()).revision, revision + 2n)
    assert.equal(clock.timers, 0)
    await store.close()
  })
})
