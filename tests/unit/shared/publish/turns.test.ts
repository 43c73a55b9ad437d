import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeJournal, parseJournal } from '#shared/journal/codec.ts'
import { createFrame } from '#shared/publish/attempt.ts'
import { OTHERS, TURN } from '#shared/publish/limits.ts'
import { createOthers } from '#shared/publish/others.ts'
import { createSeen } from '#shared/publish/seen.ts'
import { createTurns, type Arrivals, type NewestCommit, type Turns } from '#shared/publish/turns.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'
import { IDENTITY } from '../../../contract/publisher_support.ts'
import { createManualClock, settle, type ManualClock } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'

const frame = createFrame('e', IDENTITY)
const memory = createMemoryStores()

interface Ingest {
  readonly turns: Turns
  readonly clock: ManualClock
  readonly store: Store
  /** Commits as another ingest would. @returns its revision */
  foreign(endsTurn?: boolean): Promise<bigint>
  /** What was taken of others. */
  readonly taken: bigint[]
  /** Asks for the turn. @returns a function that tells whether it is there */
  ask(newest: NewestCommit): () => boolean
  /** An own commit, of which no other ingest hears. @returns its revision */
  commit(options?: {
    readonly isAll?: boolean
    readonly someoneWaits?: boolean
    readonly sentAt?: number
  }): Promise<NewestCommit>
}

function setUp(): Ingest {
  const store = memory()
  const clock = createManualClock()
  const others = createOthers({ store, clock })
  const turns = createTurns({ clock, others })
  const taken: bigint[] = []
  let head: NewestCommit = { revision: 0n, endsTurn: false }
  const take = async ({ modRevision: revision, value }: KeyValue): Promise<void> => {
    taken.push(revision)
    head = { revision, endsTurn: parseJournal(value, frame.journalName).ends_turn === true }
  }
  const committer = { newest: () => head.revision, take }
  const seen = createSeen({ others, clock, committer, frame, onMany: () => undefined })
  const arrivals: Arrivals = {
    arrive: seen.arrive,
    take: async () => {
      await seen.take()
      return head
    },
  }
  async function write(endsTurn: boolean): Promise<bigint> {
    const batch = { batch: 'b', at: '2026-06-10T12:00:00.000Z', prev: '0', first_seq: 1, events: [] }
    const value = encodeJournal({ ...batch, ...(endsTurn && { ends_turn: true }) })
    const { revision } = await store.txn({
      compare: [],
      success: [{ kind: 'put', key: frame.journal, value }],
    })
    await settle()
    return revision
  }
  return {
    turns,
    clock,
    store,
    taken,
    foreign: (endsTurn = false) => write(endsTurn),
    ask: (newest) => {
      let isMine = false
      head = newest
      void turns.mine(newest, arrivals).then(() => (isMine = true))
      return () => isMine
    },
    commit: async ({ isAll = false, someoneWaits = false, sentAt = clock.monotonic() } = {}) => {
      const endsTurn = turns.isEnding(isAll)
      const revision = await write(endsTurn)
      head = { revision, endsTurn }
      turns.afterCommit({ revision, endsTurn, someoneWaits, sentAt })
      return { revision, endsTurn }
    },
  }
}

/** An ingest that has lost twice, and waits. */
async function waiting(): Promise<Ingest & { readonly isMine: () => boolean }> {
  const ingest = setUp()
  const revision = await ingest.foreign()
  ingest.turns.afterLostRace(true)
  ingest.turns.afterLostRace(true)
  await settle()
  const isMine = ingest.ask({ revision, endsTurn: false })
  await settle()
  return { ...ingest, isMine }
}

describe('createTurns()', () => {
  it('lets an ingest that is alone send at once, for ever, and follows nothing', async () => {
    const { turns, ask, commit, clock } = setUp()
    let newest: NewestCommit = { revision: 0n, endsTurn: false }
    for (let round = 0; round < 5; round++) {
      const isMine = ask(newest)
      await settle()
      assert.equal(isMine(), true)
      newest = await commit({ isAll: true })
      assert.deepEqual([newest.endsTurn, turns.isShared, turns.isWaiting], [false, false, false])
      await clock.advance(TURN.ms)
    }
    assert.equal(clock.timers, 0)
  })

  it('forgives the first lost race, says that it waits, and waits after the second', async () => {
    const { turns, ask } = setUp()
    turns.afterLostRace(true)
    assert.deepEqual([turns.isWaiting, turns.isShared], [true, false])
    const isMine = ask({ revision: 0n, endsTurn: false })
    await settle()
    assert.equal(isMine(), true)
    turns.afterLostRace(true)
    assert.deepEqual([turns.isWaiting, turns.isShared], [false, true])
    turns.stop()
  })

  it('waits until the other ends its turn, and takes what it wrote', async () => {
    const { foreign, isMine, taken, clock, turns } = await waiting()
    const written: bigint[] = []
    for (let commit = 0; commit < 4; commit++) {
      await clock.advance(TURN.silence.mostMs / 2)
      written.push(await foreign())
      assert.equal(isMine(), false)
    }
    written.push(await foreign(true))
    assert.equal(isMine(), true)
    assert.deepEqual(taken, written)
    turns.stop()
  })

  it('waits no longer than a silence', async () => {
    const { isMine, clock, turns } = await waiting()
    await clock.advance(TURN.silence.mostMs - 1)
    assert.equal(isMine(), false)
    await clock.advance(1)
    assert.equal(isMine(), true)
    turns.stop()
  })

  it('says that it waits to an ingest that commits on and on', async () => {
    const { foreign, isMine, clock, turns } = await waiting()
    for (let ms = 0; ms < TURN.longestWaitMs; ms += TURN.silence.mostMs / 2) {
      assert.equal(isMine(), false)
      await foreign()
      await clock.advance(TURN.silence.mostMs / 2)
    }
    assert.deepEqual([isMine(), turns.isWaiting], [true, true])
    turns.stop()
  })

  it('ends a turn with all that waits, or when it took its time', async () => {
    const { turns, ask, commit, clock } = setUp()
    const isMine = ask({ revision: 0n, endsTurn: false })
    await settle()
    assert.equal(isMine(), true)
    await commit({ someoneWaits: true })
    assert.deepEqual([turns.isEnding(false), turns.isEnding(true)], [false, true])
    await clock.advance(TURN.ms)
    assert.equal(turns.isEnding(false), true)
    turns.stop()
  })

  it('offers the next turn to others for a while, and is alone again when nobody takes it', async () => {
    const { turns, ask, commit, clock } = setUp()
    let newest = await commit({ someoneWaits: true })
    await settle()
    for (let offer = 0; offer < TURN.unanswered; offer++) {
      newest = await commit({ isAll: true })
      assert.equal(newest.endsTurn, true)
      const isMine = ask(newest)
      await clock.advance(TURN.answer.leastMs - 1)
      assert.equal(isMine(), false)
      await clock.advance(1)
      assert.equal(isMine(), true)
    }
    assert.equal(turns.isShared, false)
    turns.stop()
  })

  it('goes on at once when the other has taken its turn and ended it', async () => {
    const { turns, ask, commit, foreign, taken } = setUp()
    await commit({ someoneWaits: true })
    await settle()
    const newest = await commit({ isAll: true })
    const isMine = ask(newest)
    await settle()
    assert.equal(isMine(), false)
    const answer = await foreign(true)
    assert.deepEqual([isMine(), taken], [true, [answer]])
    turns.stop()
  })

  it('is alone again when it is stopped, until races are lost', async () => {
    const { turns, foreign, ask } = setUp()
    for (let race = 0; race < 2; race++) turns.afterLostRace(true)
    await settle()
    turns.stop()
    const newest = { revision: await foreign(), endsTurn: false }
    const alone = ask(newest)
    await settle()
    assert.equal(alone(), true)
    for (let race = 0; race < 2; race++) turns.afterLostRace(true)
    const isMine = ask(newest)
    await settle()
    assert.equal(isMine(), false)
    await foreign(true)
    assert.equal(isMine(), true)
    turns.stop()
  })

  it('keeps few of the values that it does not take', async () => {
    const { turns, foreign, ask, taken } = setUp()
    turns.afterLostRace(true)
    turns.afterLostRace(true)
    await settle()
    for (let commit = 0; commit < OTHERS.mostSeen + 3; commit++) await foreign()
    const isMine = ask({ revision: 0n, endsTurn: false })
    await settle()
    assert.deepEqual([isMine(), taken.length], [false, 2])
    await foreign(true)
    assert.deepEqual([isMine(), taken.length], [true, 3])
    turns.stop()
  })

  it('waits for an answer as long as its quickest commits take, whatever the last one took', async () => {
    const { turns, ask, commit, clock } = setUp()
    const quickMs = TURN.answer.leastMs
    const slow = async (ms: number, isAll: boolean): Promise<NewestCommit> => {
      const sentAt = clock.monotonic()
      await clock.advance(ms)
      return commit({ isAll, sentAt, someoneWaits: true })
    }
    await slow(quickMs, false)
    const isMine = ask(await slow(20 * quickMs, true))
    await clock.advance(TURN.answer.commits * quickMs * TURN.fade - 1)
    assert.equal(isMine(), false)
    await clock.advance(1)
    assert.equal(isMine(), true)
    turns.stop()
  })
})
