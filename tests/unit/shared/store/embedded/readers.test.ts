import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openSqlite } from '#shared/runtime/sqlite.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'

/** Far more than is kept in memory for watches, so that it is read from the file. */
const HISTORY = 30_000
const READERS = 4
const WRITES = 12
/** Revisions that a reader may be given before a write that waits has its turn: some pages. */
const MOST_BETWEEN = 3_000
/** Keys that are counted in several steps. */
const COUNTED = 10_000

describe('openEmbeddedStore() with readers of long history', () => {
  it('lets a writer in between their pages', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-readers-'))
    const store = openEmbeddedStore(openSqlite(join(folder, 'store.sqlite')), {
      clock: systemClock,
    })
    try {
      await Promise.all(Array.from({ length: HISTORY }, (_, index) => put(store, `history/${index}`)))
      let read = 0
      const readers = Array.from({ length: READERS }, async () => {
        let own = 0
        for await (const message of store.watch({ ...prefixRange('history/'), from: 2n })) {
          if (message.kind !== 'revision') continue
          read++
          if (++own === HISTORY) return
        }
      })
      const readAtWrite: number[] = []
      for (let count = 0; count < WRITES; count++) {
        await put(store, `now/${count}`)
        readAtWrite.push(read)
      }
      const between = readAtWrite.map((at, index) => at - (readAtWrite[index - 1] ?? 0))
      assert.ok(
        between.every((count) => count <= READERS * MOST_BETWEEN),
        `read between writes: ${between.join(' ')}`,
      )
      assert.ok(read < READERS * HISTORY, 'the writes were done before the readers were')
      await Promise.all(readers)
      assert.equal(read, READERS * HISTORY)
    } finally {
      await store.close()
      await rm(folder, { recursive: true })
    }
  })

  it('makes one step of all long reads together in a turn', async () => {
    const database = openSqlite(':memory:')
    let isCounted = false
    let turn = 0
    const stepsOf = new Map<number, number>()
    const counted = {
      ...database,
      all: (...asked: Parameters<typeof database.all>) => {
        if (isCounted) stepsOf.set(turn, (stepsOf.get(turn) ?? 0) + 1)
        return database.all(...asked)
      },
    }
    const store = openEmbeddedStore(counted, { clock: systemClock })
    try {
      await Promise.all(Array.from({ length: COUNTED }, (_, index) => put(store, `k/${index}`)))
      isCounted = true
      // Each from another key, because reads of one interval share its count.
      const reads = Array.from({ length: READERS }, (_, index) =>
        store.range({ key: toBytes(`k/${index}`), end: toBytes('l'), countOnly: true }),
      )
      const onTurn = (): void => {
        turn++
        if (isCounted) setImmediate(onTurn)
      }
      onTurn()
      const counts = (await Promise.all(reads)).map(({ count }) => count)
      isCounted = false
      assert.equal(counts[0], BigInt(COUNTED))
      const steps = [...stepsOf].slice(1).map(([, number]) => number)
      assert.ok(steps.length > READERS * 2, `turns with steps: ${steps.length}`)
      assert.equal(Math.max(...steps), 1)
    } finally {
      isCounted = false
      await store.close()
    }
  })
})

async function put(store: Store, key: string): Promise<void> {
  const operation = { kind: 'put' as const, key: toBytes(key), value: toBytes('v') }
  await store.txn({ compare: [], success: [operation] })
}
