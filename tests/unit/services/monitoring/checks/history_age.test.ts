import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { historySeconds } from '#services/monitoring/checks/history_age.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'

const START = Date.UTC(2026, 5, 10, 12)
const DAY_MS = 86_400_000

describe('historySeconds()', () => {
  it('is the age of the oldest history that is left, and unknown where all is', async () => {
    const store = createMemoryStore({ clock: systemClock })
    const read = (event = 'flight'): Promise<number | undefined> =>
      historySeconds(store, event, { now: START + 10 * DAY_MS, signal: AbortSignal.timeout(5_000) })
    assert.equal(await read(), undefined)
    const revisions: bigint[] = []
    for (let day = 0; day < 10; day++) {
      const at = new Date(START + day * DAY_MS).toISOString()
      const events = [{ key: '/a', seq: day + 1, id: '1', source: 's', hash: '0' }]
      const value = encodeJournal({
        batch: `b${day}`,
        at,
        prev: String(revisions.at(-1) ?? 0n),
        first_seq: day + 1,
        events,
      })
      const success = [{ kind: 'put', key: toBytes(journalKey('flight')), value } as const]
      revisions.push((await store.txn({ compare: [], success })).revision)
    }
    assert.equal(await read(), undefined, 'nothing was compacted')
    await store.compact(revisions[7] ?? 0n)
    assert.equal(await read(), 3 * 86_400)
    assert.equal(await read('mars'), undefined)
    await store.close()
  })
})
