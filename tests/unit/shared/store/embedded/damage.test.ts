import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
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
    const read = async (): Promise<void> => {
      for await (const message of store.watch({ ...prefixRange('p/'), from: 2n }))
        assert.equal(message.kind, 'created')
    }
    await assert.rejects(read(), (error) => isAvisoError(error, 'ERR_STORE_DAMAGED'))
    await store.close()
  })
})
