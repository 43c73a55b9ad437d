import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { encodeJournal } from '#shared/journal/codec.ts'
import { journalKey } from '#shared/journal/journal.ts'
import type { Notification } from '#shared/notification/notification.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import type { Entry } from '#shared/hub/source/entry.ts'
import { createNumbering } from '#shared/hub/source/numbering.ts'
import { entryOf } from '../hub_support.ts'

/** A store in which event type `a` has two notifications since revision 2, and whose reads are noted. */
async function storeOfTwo(): Promise<{ store: Store; asked: number; isAway: boolean }> {
  const memory = createMemoryStore({ clock: systemClock })
  const events = [1, 2].map((seq) => ({ key: `/a/${seq}`, seq, id: '', source: '', hash: '' }))
  const value = encodeJournal({ batch: 'b', at: '2026-08-10T12:00:00.000Z', prev: '0', first_seq: 1, events })
  await memory.txn({ compare: [], success: [{ kind: 'put', key: toBytes(journalKey('a')), value }] })
  const noted = {
    asked: 0,
    isAway: false,
    store: {
      ...memory,
      range: (request: Parameters<Store['range']>[0]) => {
        noted.asked++
        if (noted.isAway) return Promise.reject(new AvisoError('ERR_STORE_UNAVAILABLE', 'away'))
        return memory.range(request)
      },
    },
  }
  return noted
}

/** An entry of revision 2 whose notifications have these numbers, or none. */
function entryWith(event: string, ...sequences: readonly (bigint | undefined)[]): Entry {
  const entry = entryOf(2n, ...sequences.map((_, index) => [event, { name: String(index) }] as const))
  const notifications = entry.notifications.map((notification, index): Notification | undefined => {
    const sequence = sequences[index]
    return notification && { ...notification, ...(sequence !== undefined && { sequence }) }
  })
  return { ...entry, notifications }
}

const numbersOf = ({ notifications }: Entry): unknown[] =>
  notifications.map((notification) => notification?.sequence ?? [notification?.precedingSequence])

describe('createNumbering()', () => {
  it('leaves alone what has numbers, and asks nothing', async () => {
    const noted = await storeOfTwo()
    const number = createNumbering(noted.store)
    const entry = entryWith('a', 1n, 2n)
    assert.equal(number(entry), entry)
    assert.equal(noted.asked, 0)
  })

  it('tells what comes without a number behind which one it comes', async () => {
    const noted = await storeOfTwo()
    const number = createNumbering(noted.store)
    assert.deepEqual(numbersOf(await number(entryWith('a', undefined, undefined))), [[2n], [2n]])
    await number(entryWith('a', 3n, 4n))
    assert.deepEqual(numbersOf(await number(entryWith('a', undefined, 5n, undefined))), [[4n], 5n, [5n]])
    assert.equal(noted.asked, 1)
  })

  it('says nothing where there is no number yet, or it cannot be told', async () => {
    const noted = await storeOfTwo()
    const number = createNumbering(noted.store)
    assert.deepEqual(numbersOf(await number(entryWith('b', undefined))), [[undefined]])
    noted.isAway = true
    assert.deepEqual(numbersOf(await number(entryWith('a', undefined))), [[undefined]])
    noted.isAway = false
    assert.deepEqual(numbersOf(await number(entryWith('a', undefined))), [[2n]])
  })

  it('passes over what its store does not show', async () => {
    const noted = await storeOfTwo()
    const entry = entryWith('a', undefined)
    const hidden = { ...entry, notifications: [undefined, ...entry.notifications] }
    assert.deepEqual(numbersOf(await createNumbering(noted.store)(hidden)), [[undefined], [2n]])
  })
})
