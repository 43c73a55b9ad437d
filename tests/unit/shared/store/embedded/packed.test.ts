import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyDamaged } from '#shared/errors.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { readHistory } from '#shared/store/embedded/history.ts'
import { readPacked } from '#shared/store/embedded/packed.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

const ALL = { where: 'events e NOT INDEXED WHERE TRUE', bounds: [] }

function put(key: string, value: Uint8Array): StoreOperation {
  return { kind: 'put', key: toBytes(key), value }
}

/** A store of events of all forms: large ones, empty ones, deletions, many in a revision. Bytes are such as text does not have. */
async function fill() {
  const database = openSqlite(':memory:')
  const store = openEmbeddedStore(database, { clock: systemClock, logger: () => undefined })
  const write = (...success: StoreOperation[]): Promise<unknown> => store.txn({ compare: [], success })
  await write(put('p/a', new Uint8Array([0, 255, 0, 34])), put('p/b', new Uint8Array(0)))
  await write(put('p/large', new Uint8Array(1_200_000).fill(200)), put('p/c', toBytes('c')))
  await write({ kind: 'delete', range: { key: toBytes('p/a') } })
  await write(
    ...Array.from({ length: 100 }, (_, index) => put(`p/\0${index}`, new Uint8Array(12_000).fill(index))),
  )
  await write(put('q/other', toBytes('q')))
  return { database, store }
}

describe('readPacked()', () => {
  it('reads what the rows have, byte for byte, also beyond a pack', async () => {
    const { database, store } = await fill()
    const { revisions, damage } = readPacked(database, ALL, { from: 1n, through: 99n })
    assert.equal(damage, undefined)
    const rows = database.all(
      'SELECT id >> 20 AS revision, id & 1 AS deleted, key, value FROM events ORDER BY id',
    )
    assert.deepEqual(
      revisions.flatMap(({ revision, events }) =>
        events.map(({ kind, kv }) => [revision, kv.modRevision, kind, toText(kv.key), [...kv.value]]),
      ),
      rows.map(({ revision, deleted, key, value }) => [
        BigInt(Number(revision)),
        BigInt(Number(revision)),
        deleted === 1 ? 'delete' : 'put',
        toText(key as Uint8Array),
        [...((value as Uint8Array | null) ?? [])],
      ]),
    )
    await store.close()
  })

  it('leaves out what its condition and its revisions do not take', async () => {
    const { database, store } = await fill()
    const page = readHistory(database, prefixRange('q/'), { from: 1n, last: 99n })
    assert.deepEqual(
      page.revisions.map(({ events }) => events.map(({ kv }) => toText(kv.key))),
      [['q/other']],
    )
    const single = readHistory(database, { key: toBytes('p/a') }, { from: 1n, last: 99n })
    assert.deepEqual(
      single.revisions.flatMap(({ events }) => events.map(({ kind }) => kind)),
      ['put', 'delete'],
    )
    await store.close()
  })

  for (const [name, change] of [
    ['a bit of a value', `value = CAST('x' AS BLOB)`],
    ['a number', 'version = version + 1'],
    ['a text in place of bytes, whose length is another', `value = 'é'`],
    ['a value that is gone', 'value = NULL'],
  ] as const) {
    it(`ends before the revision of a damaged row: ${name}`, async () => {
      const { database, store } = await fill()
      database.run(`UPDATE events SET ${change} WHERE key = ?`, toBytes('p/c'))
      const { revisions, damage } = readPacked(database, ALL, { from: 1n, through: 99n })
      assert.ok(damage instanceof KeyDamaged)
      assert.equal(toText(damage.key), 'p/c')
      assert.deepEqual(
        revisions.map(({ revision }) => revision),
        [2n],
      )
      await store.close()
    })
  }
})
