import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HistoryDamaged, isAvisoError } from '#shared/errors.ts'
import type { SqlRow } from '#shared/runtime/runtime.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { readHistory, type HistoryPage } from '#shared/store/embedded/history.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { Revision } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

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
        `error The store is damaged The store's copy of "p/a" at revision 2 is damaged: it does not agree with its checksum`,
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
    /** Answers the two statements of a page; a read that touches a broken row fails as SQLite does. */
    const all = (sql: string, ...parameters: readonly unknown[]): SqlRow[] => {
      const numbers = parameters.filter((parameter) => typeof parameter === 'number')
      const [from = 0, to = 0, limit = Infinity] = numbers
      const found = rows.filter(({ revision }) => revision >= from && revision < to).slice(0, limit)
      if (found.some(({ revision }) => broken.includes(revision)))
        throw new Error('database disk image is malformed')
      if (sql.includes('count(*)'))
        return [{ last: found.at(-1)?.revision ?? null, count: found.length, size: found.length }]
      return found.map(({ revision }) => ({
        revision,
        place: 0,
        created: revision,
        version: 1,
        lease: 0,
        key: toBytes('p/a'),
        value: toBytes('v'),
        sum: 0,
      }))
    }
    const view = { all, crc32: sum }
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
