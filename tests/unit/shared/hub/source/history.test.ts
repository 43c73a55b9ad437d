import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError, HistoryCompacted, HistoryDamaged } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Revision, Store, WatchMessage, WatchRequest } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createHistory, type History } from '#shared/hub/source/history.ts'
import {
  HISTORY_CONTENDED_HOLD_MS,
  HISTORY_HOLD_MS,
  HISTORY_PAGE_BYTES,
  HISTORY_PATIENCE_BYTES,
  HISTORY_READERS,
  HISTORY_TURN_BYTES,
} from '#shared/hub/source/limits.ts'
import { createRing } from '#shared/hub/source/ring.ts'
import { decode, entryOf, putEvent } from '../hub_support.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'
import { eventually } from '../../../../support/waiting.ts'

const HEAD = 1_000_000n

interface Fixture {
  readonly history: History
  /** Where watches began. */
  readonly starts: Revision[]
  /** Watches that stand. */
  readonly standing: () => number
  /** Moves the clock. */
  pass(ms: number): void
  readonly clock: ManualClock
  /** The last revision that was read. */
  readonly read: () => Revision
}

/**
 * History of a store with an event at every `step` revisions, up to `last`; behind that a watch is silent. Each of its entries counts
 * `entryBytes`.
 */
function fixture(
  options: {
    step?: bigint
    last?: Revision
    entryBytes?: number
    oldest?: Revision
    damaged?: Revision
  } = {},
): Fixture {
  const { step = 1n, last = HEAD, entryBytes = 0, oldest = 1n, damaged } = options
  const starts: Revision[] = []
  let standing = 0
  let lastRead = 0n
  const clock = createManualClock()
  async function* watch({ from = 1n, signal }: WatchRequest): AsyncGenerator<WatchMessage, void, undefined> {
    starts.push(from)
    if (from < oldest) {
      throw new HistoryCompacted('As the test says', oldest)
    }
    standing++
    try {
      yield { kind: 'created', revision: HEAD }
      const first = from + ((step - (from % step)) % step)
      for (let revision = first; revision <= last && signal?.aborted !== true; revision += step) {
        if (damaged !== undefined && from <= damaged && damaged <= revision)
          throw new HistoryDamaged('As the test says', { from: damaged, next: damaged + 1n })
        yield { kind: 'revision', revision, events: [putEvent('/a/n', revision)] }
      }
      await new Promise<void>((resolve) => {
        if (signal?.aborted === true) resolve()
        signal?.addEventListener('abort', () => resolve())
      })
    } finally {
      standing--
    }
  }
  const store = { watch, range: () => Promise.resolve({ revision: HEAD, kvs: [], count: 0n, more: false }) }
  const history = createHistory({
    isShared: () => true,
    // Nothing else is asked of it.
    store: store as unknown as Store,
    range: { key: toBytes('/'), end: toBytes('0') },
    ring: createRing(1_000, HEAD + 1n, decode),
    epoch: { known: undefined },
    decode: (revision) => {
      lastRead = revision
      const entry = entryOf(revision, ['a', { name: 'n' }])
      entry.bytes += entryBytes
      return entry
    },
    clock,
    random: () => 'random',
    logger: silentLogger,
  })
  return {
    history,
    starts,
    standing: () => standing,
    pass: clock.pass,
    clock,
    read: () => lastRead,
  }
}

interface Waiting {
  readonly next: Revision
  /** `waiting`, `resumed`, or the code of the error. */
  outcome: string
}

/** Asks for a revision, and notes what comes of it. */
function ask(history: History, next: Revision): Waiting & Parameters<History['request']>[0] {
  const waiter: ReturnType<typeof ask> = {
    next,
    outcome: 'waiting',
    resume: () => {
      waiter.outcome = 'resumed'
    },
    fail: (error: unknown) => {
      waiter.outcome = error instanceof AvisoError ? error.code : 'unknown'
    },
  }
  history.request(waiter)
  return waiter
}

const close = (history: History): void => history.reset(new AvisoError('ERR_STORE_UNAVAILABLE', 'Closed'))

describe('createHistory()', () => {
  it('tells who needs a damaged revision, serves what lies around it, and reads it no more than once', async () => {
    // Event at 60, none at 61 to 69: the damage is not right behind what was read.
    const { history, starts } = fixture({ step: 10n, damaged: 70n })
    const before = ask(history, 5n)
    const [at, after] = [ask(history, 65n), ask(history, 75n)]
    await eventually('all are answered', () =>
      [before, at, after].every(({ outcome }) => outcome !== 'waiting'),
    )
    assert.deepEqual([before.outcome, at.outcome, after.outcome], ['resumed', 'resumed', 'resumed'])
    assert.equal(history.find(65n)?.through, 69n)
    assert.equal(history.find(75n)?.from, 71n)
    const begun = starts.length
    assert.equal(ask(history, 70n).outcome, 'ERR_HISTORY_COMPACTED')
    assert.equal(starts.length, begun)
    close(history)
  })
  it('resumes who waits as soon as there is something, though the store goes silent', async () => {
    const { history } = fixture({ last: 130n })
    const [early, late] = [ask(history, 128n), ask(history, 131n)]
    await eventually('the first is served', () => early.outcome === 'resumed')
    assert.equal(history.find(128n)?.at(0)?.revision, 128n)
    assert.equal(late.outcome, 'waiting')
    close(history)
    assert.equal(late.outcome, 'ERR_STORE_UNAVAILABLE')
  })

  it('has one reader for all who are on its way, and none for what it knows', async () => {
    const { history, starts } = fixture({ entryBytes: 1_000 })
    const waiting = [1_000n, 1_004n, 993n, 1_300n].map((next) => ask(history, next))
    await eventually('all are served', () => waiting.every(({ outcome }) => outcome === 'resumed'))
    // 993 lies before the first one, 992 is the multiple of the alignment before it.
    assert.deepEqual(starts, [992n])
    const known = ask(history, 1_300n)
    assert.equal(known.outcome, 'resumed')
    assert.equal(starts.length, 1)
    close(history)
  })

  it('has another reader for those whom the first does not reach soon, however few revisions lie between', async () => {
    const entryBytes = HISTORY_PATIENCE_BYTES / 8
    const { history, starts } = fixture({ entryBytes })
    const early = ask(history, 1_000n)
    const late = [1_100n, 1_100n, 1_105n].map((next) => ask(history, next))
    await eventually('all are served', () => [early, ...late].every(({ outcome }) => outcome === 'resumed'))
    assert.deepEqual(starts, [992n, 1_088n])
    assert.equal(history.find(1_050n), undefined, 'nobody has read that far for nothing')
    close(history)
  })

  it('leaves them to the first where there is no place for another reader', async () => {
    const { history, starts, standing } = fixture({ entryBytes: HISTORY_PATIENCE_BYTES / 8, last: 2_000n })
    const busy = Array.from({ length: HISTORY_READERS - 1 }, (_, index) =>
      ask(history, 100_000n * BigInt(index + 1)),
    )
    const early = ask(history, 1_000n)
    await eventually('it is served', () => early.outcome === 'resumed')
    assert.equal(standing(), HISTORY_READERS)
    const late = ask(history, 1_100n)
    await eventually('it is served too', () => late.outcome === 'resumed')
    assert.equal(starts.length, HISTORY_READERS)
    assert.ok(busy.every(({ outcome }) => outcome === 'waiting'))
    close(history)
  })

  it('gives the place of an idle reader to who waits for one, without a sweep', async () => {
    const { history, clock } = fixture({ entryBytes: HISTORY_PAGE_BYTES })
    const first = Array.from({ length: HISTORY_READERS }, (_, index) =>
      ask(history, 100_000n * BigInt(index + 1)),
    )
    await eventually('they are served', () => first.every(({ outcome }) => outcome === 'resumed'))
    const last = ask(history, 10n)
    assert.equal(last.outcome, 'waiting')
    await clock.advance(HISTORY_CONTENDED_HOLD_MS)
    await eventually('the last one is served', () => last.outcome === 'resumed')
    close(history)
  })

  it('reads one page ahead of who asks, and no more', async () => {
    const { history, read } = fixture({ entryBytes: HISTORY_PAGE_BYTES })
    const waiter = ask(history, 16n)
    await eventually('the page after it is read', () => waiter.outcome === 'resumed' && read() === 17n)
    assert.equal(history.find(17n), undefined)
    const next = ask(history, 17n)
    assert.equal(next.outcome, 'resumed')
    await eventually('the next page is read', () => read() === 18n)
    close(history)
  })

  it('gives way to others after a turn, however few revisions that are', async () => {
    const entryBytes = HISTORY_PAGE_BYTES
    const turn = BigInt(HISTORY_TURN_BYTES / entryBytes)
    const { history, standing } = fixture({ entryBytes })
    const positions = Array.from({ length: HISTORY_READERS + 3 }, (_, index) => 30_000n * BigInt(index + 1))
    const served = new Set<Revision>()
    let most = 0
    await Promise.all(
      positions.map(async (start) => {
        // Each goes on and on: without turns the last ones would wait for the first.
        for (let next = start; served.size < positions.length;) {
          const waiter = ask(history, next)
          await eventually(
            `${next} is served`,
            () => waiter.outcome !== 'waiting' || served.size === positions.length,
          )
          most = Math.max(most, standing())
          if (waiter.outcome !== 'resumed') return history.forget(waiter)
          served.add(start)
          next = (history.find(next)?.through ?? next) + 1n
          assert.ok(next < start + 3n * turn, 'the others have had their turn')
        }
      }),
    )
    assert.equal(most, HISTORY_READERS)
    close(history)
    await eventually('all watches are released', () => standing() === 0)
  })

  it('releases a reader that nobody asks for more, also when who asked has left', async () => {
    const { history, standing, pass } = fixture({ last: 130n })
    const waiter = ask(history, 500n)
    await eventually('the watch stands', () => standing() === 1)
    pass(HISTORY_HOLD_MS + 1)
    history.sweep()
    assert.equal(standing(), 1, 'somebody waits')
    history.forget(waiter)
    history.sweep()
    assert.equal(standing(), 1, 'it has just been left')
    pass(HISTORY_HOLD_MS + 1)
    history.sweep()
    await eventually('it is released', () => standing() === 0)
    assert.equal(waiter.outcome, 'waiting')
  })

  it('tells those whose place is compacted, and reads on for the others', async () => {
    const { history, starts } = fixture({ oldest: 105n })
    const waiting = [100n, 104n, 105n, 110n].map((next) => ask(history, next))
    await eventually('all have an answer', () => waiting.every(({ outcome }) => outcome !== 'waiting'))
    assert.deepEqual(
      waiting.map(({ outcome }) => outcome),
      ['ERR_HISTORY_COMPACTED', 'ERR_HISTORY_COMPACTED', 'resumed', 'resumed'],
    )
    assert.deepEqual(starts, [96n, 105n])
    assert.equal(ask(history, 90n).outcome, 'ERR_HISTORY_COMPACTED')
    assert.equal(starts.length, 2, 'the store is not asked again')
    close(history)
  })
})
