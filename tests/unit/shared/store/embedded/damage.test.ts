import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { HistoryDamaged, isAvisoError } from '#shared/errors.ts'
import type { SqlRow, SqlValue } from '#shared/runtime/runtime.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { joinBytes, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { readHistory, type HistoryPage } from '#shared/store/embedded/history.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import type { Revision, Store, StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { DATABASE, newFolder, open, put } from './files.ts'

/** A store of three keys, of which one column of "a" is changed behind its back. */
async function openDamaged(change: string) {
  const database = openSqlite(':memory:')
  const lines: string[] = []
  const store = openEmbeddedStore(database, {
    clock: systemClock,
    logger: (level, message, fields) => lines.push(`${level} ${message} ${String(fields?.['reason'])}`),
  })
  for (const name of ['a', 'b', 'c'])
    await store.txn({
      compare: [],
      success: [{ kind: 'put', key: toBytes(`p/${name}`), value: toBytes(`value of ${name}`) }],
    })
  database.run(`UPDATE events SET ${change} WHERE key = ?`, toBytes('p/a'))
  return { store, lines }
}

const isDamage = (error: unknown): boolean => {
  assert.ok(isAvisoError(error, 'ERR_STORE_DAMAGED'), String(error))
  assert.match(error.message, /"p\/a" at revision 2 is damaged/)
  return true
}

describe('openEmbeddedStore() damage', () => {
  for (const change of [
    `value = CAST('value of A' AS BLOB)`,
    'version = 2',
    'created = 1',
    'lease = 1',
    'sum = sum + 1',
  ])
    it(`is refused wherever the value is read, told in the log, and keeps to its key: ${change}`, async () => {
      const { store, lines } = await openDamaged(change)
      const [a, b] = [toBytes('p/a'), toBytes('p/b')]
      await assert.rejects(store.range({ key: a }), isDamage)
      assert.deepEqual(lines, [
        `error The store is damaged The embedded store's copy of "p/a" at revision 2 is damaged: it does not agree with its checksum. Restore a backup with "aviso admin restore FILE", or start once with --accept-loss`,
      ])
      await assert.rejects(store.range(prefixRange('p/')), isDamage)
      await assert.rejects(store.range({ ...prefixRange('p/'), sortTarget: 'MOD' }), isDamage)
      await assert.rejects(store.range({ ...prefixRange('p/'), sortTarget: 'VALUE', limit: 1 }), isDamage)
      const guard = { target: 'VALUE', result: 'EQUAL', value: toBytes('value of a') } as const
      await assert.rejects(store.txn({ compare: [{ ...guard, key: a }], success: [] }), isDamage)
      assert.equal((await store.range({ key: b })).count, 1n)
      assert.equal((await store.range({ key: b, end: toBytes('q') })).kvs.length, 2)
      assert.equal((await store.range({ ...prefixRange('p/'), keysOnly: true })).kvs.length, 3)
      // A new value is whole.
      await store.txn({ compare: [], success: [{ kind: 'put', key: a, value: toBytes('new') }] })
      assert.equal((await store.range(prefixRange('p/'))).kvs.length, 3)
      await store.close()
    })

  it('undoes a transaction that reads it after it wrote, and no other', async () => {
    const { store } = await openDamaged('sum = sum + 1')
    const put = (name: string): StoreOperation => ({ kind: 'put', key: toBytes(name), value: toBytes('v') })
    const read: StoreOperation = { kind: 'range', range: { key: toBytes('p/a') } }
    const [refused, other] = await Promise.allSettled([
      store.txn({ compare: [], success: [put('half'), read] }),
      store.txn({ compare: [], success: [put('whole')] }),
    ])
    assert.ok(refused.status === 'rejected' && isDamage(refused.reason))
    assert.equal(other.status, 'fulfilled')
    assert.equal((await store.range({ key: toBytes('half') })).count, 0n)
    assert.equal((await store.range({ key: toBytes('whole') })).kvs[0]?.modRevision, 5n)
    await store.close()
  })

  it('does not take what was undone for what a guarded key is', async () => {
    const { store } = await openDamaged('sum = sum + 1')
    const half: StoreOperation = { kind: 'put', key: toBytes('half'), value: toBytes('v') }
    const read: StoreOperation = { kind: 'range', range: { key: toBytes('p/a') } }
    const absent = { key: half.key, target: 'MOD', result: 'EQUAL', value: 0n } as const
    await assert.rejects(store.txn({ compare: [absent], success: [half, read] }), isDamage)
    assert.equal((await store.txn({ compare: [absent], success: [half] })).succeeded, true)
    assert.equal((await store.txn({ compare: [absent], success: [half] })).succeeded, false)
    await store.close()
  })

  it('ends a watch that comes to it from history', async () => {
    const database = openSqlite(':memory:')
    const first = openEmbeddedStore({ ...database, close: () => undefined }, { clock: systemClock })
    for (const name of ['b', 'a'])
      await first.txn({
        compare: [],
        success: [{ kind: 'put', key: toBytes(`p/${name}`), value: toBytes('v') }],
      })
    await first.close()
    database.run(`UPDATE events SET value = CAST('w' AS BLOB) WHERE key = ?`, toBytes('p/a'))
    const store = openEmbeddedStore(database, { clock: systemClock })
    const seen: Revision[] = []
    const read = async (from: Revision): Promise<void> => {
      for await (const message of store.watch({ ...prefixRange('p/'), from }))
        if (message.kind === 'revision') seen.push(message.revision)
    }
    await assert.rejects(read(2n), (error) => {
      assert.ok(error instanceof HistoryDamaged && error.code === 'ERR_STORE_DAMAGED')
      assert.deepEqual([error.from, error.next], [3n, 4n])
      return true
    })
    assert.deepEqual(seen, [2n], 'what lies before it was given out')
    await assert.rejects(read(3n), HistoryDamaged)
    await store.close()
  })

  it('in a page that SQLite cannot read ends a watch before it, and names where history goes on', () => {
    const broken = [31, 32, 33]
    const rows = Array.from({ length: 60 }, (_, index) => ({ revision: index + 1 }))
    const sum = (): number => 0
    /** Answers the statements of a page; a read that touches a broken row fails as SQLite does. */
    const find = (from = 0, to = 0, limit = Infinity) => {
      const found = rows.filter(({ revision }) => revision >= from && revision < to).slice(0, limit)
      if (found.some(({ revision }) => broken.includes(revision)))
        throw new Error('database disk image is malformed')
      return found
    }
    const numbersIn = (parameters: readonly unknown[]): number[] =>
      parameters.filter((parameter) => typeof parameter === 'number')
    const all = (sql: string, ...parameters: readonly unknown[]): SqlRow[] => {
      const [from, to, limit, beforePlace] = numbersIn(parameters)
      if (sql.includes('count(*)')) {
        const found = find(from, to, limit)
        return [{ last: found.at(-1)?.revision ?? null, count: found.length, size: found.length }]
      }
      // Revisions and places: up to and including the second.
      const found = find(from, (limit ?? 0) + (beforePlace === 0 ? 0 : 1))
      return [{ pack: joinBytes(found.map(() => toBytes(`${'\0'.repeat(40)}p/av`))) }]
    }
    const lists = (_: string, ...parameters: readonly unknown[]): SqlValue[][] => {
      const [from, , to] = numbersIn(parameters)
      return find(from, to).map(({ revision }) => [revision, 0, revision, 1, 0, 0, 3, 1])
    }
    const view = { all, lists, crc32: sum }
    const page = (from: Revision): HistoryPage =>
      readHistory(view, { key: toBytes('p/'), end: toBytes('\0') }, { from, last: 60n })
    let next = 1n
    while (next < 31n) {
      const { revisions, through } = page(next)
      assert.equal(revisions.at(-1)?.revision, through)
      next = through + 1n
    }
    assert.equal(next, 31n)
    assert.throws(
      () => page(31n),
      (error) => error instanceof HistoryDamaged && error.from === 31n && error.next === 35n,
    )
    assert.equal(page(35n).through, 60n)
  })
})

describe('openEmbeddedStore() damage that is accepted', () => {
  /** A store of some writes, of which one event is changed behind its back, opened again with the loss accepted. */
  async function accept(change: string, parameters: readonly (string | number)[] = []) {
    const database = openSqlite(':memory:')
    const kept = { ...database, close: () => undefined }
    const first = openEmbeddedStore(kept, { clock: systemClock })
    const write = (kind: 'put' | 'delete', name: string, value = ''): Promise<unknown> => {
      const key = toBytes(name)
      const operation =
        kind === 'put' ? ({ kind, key, value: toBytes(value) } as const) : ({ kind, range: { key } } as const)
      return first.txn({ compare: [], success: [operation] })
    }
    await write('put', EPOCH_KEY, 'first')
    await write('put', 'p/a', 'old')
    await write('put', 'p/gone', 'x')
    await write('delete', 'p/gone')
    await write('put', 'p/a', 'new')
    await write('put', 'p/b', 'last')
    await first.close()
    if (change !== '') database.run(change, ...parameters)
    const lines: string[] = []
    const store = openEmbeddedStore(database, {
      clock: systemClock,
      logger: (level, message, fields) => lines.push(`${level} ${message} ${String(fields?.['reason'])}`),
      acceptLoss: { random: () => 'second' },
    })
    const valueOf = async (name: string): Promise<string | undefined> => {
      const [kv] = (await store.range({ key: toBytes(name) })).kvs
      return kv && toText(kv.value)
    }
    return { database, store, lines, valueOf }
  }
  const [NEW, DELETION] = [6, 5]
  const damage = (revision: number, set = 'sum = sum + 1'): Parameters<typeof accept> => [
    `UPDATE events SET ${set} WHERE id >> 20 = ?`,
    [revision],
  ]
  const isHistoryGone = async (store: Store, from: Revision): Promise<boolean> => {
    try {
      for await (const { kind } of store.watch({ ...prefixRange('p/'), from }))
        if (kind !== 'created') return false
    } catch (error) {
      return isAvisoError(error, 'ERR_HISTORY_COMPACTED')
    }
    return false
  }

  for (const set of [
    'sum = sum + 1',
    `value = CAST('odd' AS BLOB)`,
    `key = CAST('p/z' AS BLOB)`,
    'lease = 7',
  ])
    it(`gives a key the value that it had before, and ends history behind the damage: ${set}`, async () => {
      const { database, store, lines, valueOf } = await accept(...damage(NEW, set))
      assert.deepEqual([await valueOf('p/a'), await valueOf('p/b')], ['old', 'last'])
      const { kvs, count } = await store.range(prefixRange('p/'))
      assert.deepEqual([kvs.map(({ key }) => toText(key)), count], [['p/a', 'p/b'], 2n])
      assert.equal(await valueOf(EPOCH_KEY), 'r-second')
      assert.ok((await store.status()).revision > 2n ** 30n)
      assert.equal(await isHistoryGone(store, BigInt(NEW)), true)
      assert.equal((await store.range({ ...prefixRange('p/'), revision: BigInt(NEW) + 1n })).count, 2n)
      assert.deepEqual(database.all('PRAGMA integrity_check(1)'), [
        { __proto__: null, integrity_check: 'ok' },
      ])
      assert.match(lines.join('\n'), /warn A damaged value is given up .* at revision 6 is damaged/)
      assert.match(lines.join('\n'), /warn The store lost acknowledged writes, as accepted/)
      await store.compact((await store.status()).revision)
      assert.equal(await valueOf('p/a'), 'old')
      await store.close()
    })

  const openings: Readonly<Record<string, (folder: string) => Store | Promise<Store>>> = {
    'in place': (folder) =>
      openEmbeddedStore(openSqlite(join(folder, DATABASE)), {
        clock: systemClock,
        acceptLoss: { random: () => 'second' },
      }),
    'by a copy': (folder) => open(folder, { acceptLoss: true }),
  }
  for (const [how, openAgain] of Object.entries(openings))
    it(`finds a key that its index knows by another name, ${how}`, async (context) => {
      const folder = await newFolder(context)
      const first = await open(folder)
      for (const key of ['p/flipped', 'p/whole']) await put(first, key, `value of ${key}`)
      await first.close()
      const path = join(folder, DATABASE)
      const bytes = await readFile(path)
      // In its row, not in the index: there no value follows.
      const place = bytes.indexOf('p/flippedvalue of')
      assert.ok(place > 0)
      bytes[place + 2] = 'F'.charCodeAt(0)
      await writeFile(path, bytes)
      const damaged = await open(folder)
      await assert.rejects(damaged.range(prefixRange('p/')), { code: 'ERR_STORE_DAMAGED' })
      await damaged.close()
      const store = await openAgain(folder)
      const { kvs, count } = await store.range(prefixRange('p/'))
      assert.deepEqual([kvs.map(({ key }) => toText(key)), count], [['p/whole'], 1n])
      await put(store, 'p/flipped', 'again')
      await store.close()
      const again = await open(folder)
      assert.equal((await again.range(prefixRange('p/'))).count, 2n)
      await again.close()
    })

  it('leaves deleted what was deleted', async () => {
    const { store, valueOf } = await accept(...damage(DELETION))
    assert.equal(await valueOf('p/gone'), undefined)
    assert.equal((await store.range(prefixRange('p/'))).count, 2n)
    assert.equal(await valueOf(EPOCH_KEY), 'r-second')
    await store.close()
  })

  it('changes nothing where nothing is damaged', async () => {
    const { store, lines, valueOf } = await accept('')
    assert.deepEqual([await valueOf('p/a'), await valueOf(EPOCH_KEY)], ['new', 'first'])
    assert.equal((await store.status()).revision, 7n)
    assert.match(lines.join('\n'), /Nothing of the store is lost/)
    await store.close()
  })
})
