import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { waitingKey } from '#shared/journal/journal.ts'
import { createCommitDelay, type CommitDelay } from '#shared/publish/commit_delay.ts'
import { COMMIT_DELAY } from '#shared/publish/limits.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import { IDENTITY, item } from '../../../contract/publisher_support.ts'
import { createManualClock, type ManualClock } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'
import { eventually } from '../../../support/waiting.ts'

const { ms, enough, leastMs, vain, firstTry, lastTry, longEvery, fade } = COMMIT_DELAY

interface Lane {
  readonly clock: ManualClock
  readonly delay: CommitDelay
  /** The notifications of the publisher. */
  readonly load: { items: number; sent: number }
  /** Commits of one notification each, until one waits. @returns how many, with that one. */
  readonly commitAlone: (everyMs?: number, most?: number) => number
  /** Lets a wait of one notification end, while others come. @returns how long it took, in milliseconds. */
  readonly waitFor: (others: number) => Promise<number>
}

function open(): Lane {
  const clock = createManualClock()
  const load = { items: 0, sent: 0 }
  const delay = createCommitDelay(clock, load)
  const come = (): void => {
    load.items++
    delay.arrived()
  }
  return {
    clock,
    delay,
    load,
    commitAlone: (everyMs = ms / 4, most = 3_000) => {
      load.items = 1
      for (let commits = 1; commits <= most; commits++) {
        delay.decideAnew()
        clock.pass(everyMs)
        if (delay.wait(0) !== undefined) return commits
      }
      return Infinity
    },
    waitFor: async (others) => {
      delay.decideAnew()
      const startedAt = clock.monotonic()
      load.items = 1
      const wait = delay.wait(0)
      assert.ok(wait !== undefined, 'it waits')
      for (let other = 0; other < others; other++) come()
      await clock.advance(0)
      await clock.advance(clock.timers === 0 ? 0 : clock.nextIn)
      await wait
      return clock.monotonic() - startedAt
    },
  }
}

/** A lane where others come while one waits: `together` of them, with that one. */
async function openBusy(together: number): Promise<Lane> {
  const lane = open()
  lane.commitAlone()
  for (let other = 1; other < together; other++) lane.delay.arrived()
  await lane.clock.advance(ms)
  lane.delay.decideAnew()
  return lane
}

describe('createCommitDelay()', () => {
  it('tries a wait after some commits in quick succession, and less often each time that nothing came', async () => {
    const { clock, commitAlone } = open()
    const tries: number[] = []
    for (let time = 0; time < 8; time++) {
      tries.push(commitAlone())
      assert.deepEqual([clock.timers, clock.nextIn], [1, ms])
      await clock.advance(ms)
      assert.equal(clock.timers, 0)
    }
    // The first commit comes after none, and the one after a wait is not quick.
    const quick = [16, 32, 64, 128, 256, 512, 1_024, 1_024]
    assert.deepEqual([quick[0], quick.at(-1)], [firstTry, lastTry])
    assert.deepEqual(
      tries,
      quick.map((commits) => commits + 1),
    )
  })

  it('never waits where commits are far apart', () => {
    assert.equal(open().commitAlone(ms), Infinity)
  })

  it('takes what becomes ready together for one commit', () => {
    const { clock, delay, load } = open()
    load.items = 3
    for (let lane = 0; lane < 10 * firstTry; lane++) assert.equal(delay.wait(0), undefined)
    for (let commit = 0; commit < firstTry - 1; commit++) {
      delay.decideAnew()
      clock.pass(ms / 4)
      assert.equal(delay.wait(0), undefined)
    }
    delay.decideAnew()
    assert.ok(delay.wait(0) !== undefined)
  })

  it('goes on while others come, and ends each wait as soon as the usual number is there', async () => {
    const { waitFor } = await openBusy(4)
    for (let time = 0; time < 20; time++) assert.equal(await waitFor(3), 0)
    assert.equal(await waitFor(2), ms)
  })

  it('waits for fewer when fewer come', async () => {
    const { waitFor } = await openBusy(4)
    const times: number[] = []
    for (let time = 0; time < 1 / fade + 1; time++) times.push(await waitFor(2))
    assert.deepEqual(times.slice(-2), [ms, 0])
  })

  it('looks now and then whether more come by now', async () => {
    const { waitFor } = await openBusy(2)
    for (let time = 1; time < longEvery; time++) assert.equal(await waitFor(1), 0)
    assert.equal(await waitFor(2), ms)
    assert.equal(await waitFor(1), ms, 'three are usual now')
    assert.equal(await waitFor(2), 0)
  })

  it('ends after some waits in vain', async () => {
    const { waitFor, commitAlone } = await openBusy(2)
    for (let time = 0; time < vain; time++) assert.equal(await waitFor(0), ms)
    assert.equal(commitAlone(), 1 + 2 * firstTry)
  })

  it('tries as often as at first again, once it has paid', async () => {
    const { clock, delay, commitAlone, waitFor } = open()
    for (let time = 0; time < 3; time++) {
      commitAlone()
      await clock.advance(ms)
    }
    commitAlone()
    delay.arrived()
    await clock.advance(ms)
    for (let time = 0; time < vain; time++) assert.equal(await waitFor(0), ms)
    assert.equal(commitAlone(), 1 + 2 * firstTry)
  })

  it('forgets a wait in vain when others come in the next one', async () => {
    const { waitFor } = await openBusy(2)
    for (let time = 0; time < 3 * vain; time++) await waitFor(time % vain === 0 ? 1 : 0)
    assert.equal(await waitFor(1), 0)
  })

  it('does not wait where enough are ready', async () => {
    const { delay, load } = await openBusy(enough + 4)
    load.items = enough + 3
    load.sent = 3
    assert.equal(delay.wait(0), undefined)
    load.sent = 4
    assert.ok(delay.wait(0) !== undefined)
  })

  it('does not wait where as many are ready as usual, and learns when more are', async () => {
    const { delay, load, waitFor } = await openBusy(4)
    delay.decideAnew()
    load.items = 6
    assert.equal(delay.wait(0), undefined)
    assert.equal(await waitFor(4), ms)
    assert.equal(await waitFor(5), 0)
  })

  it('counts what the first has waited already', async () => {
    const { clock, delay, load } = await openBusy(4)
    load.items = 1
    delay.decideAnew()
    assert.equal(delay.wait(ms - leastMs + 0.25), undefined)
    delay.decideAnew()
    assert.ok(delay.wait(ms - leastMs) !== undefined)
    assert.equal(clock.nextIn, leastMs)
  })

  it('has all event types wait together', async () => {
    const { delay } = await openBusy(4)
    const wait = delay.wait(0)
    assert.ok(wait !== undefined)
    assert.equal(delay.wait(0), wait)
  })
})

/** A publisher that waits with one notification, because so many came in quick succession. */
async function openPublisher() {
  const clock = createManualClock()
  const store = createMemoryStores()()
  const seen = { commits: 0, held: undefined as Promise<void> | undefined }
  const txn: typeof store.txn = async (...call) => {
    seen.commits++
    await seen.held
    return store.txn(...call)
  }
  const publisher = createPublisher({
    store: { ...store, txn },
    clock,
    random: randomUUID,
    identity: IDENTITY,
  })
  const isWaiting = (): boolean => clock.timers > 0 && clock.nextIn <= ms
  /** @returns whether all were stored */
  const publish = async (event: string, ...names: readonly string[]): Promise<boolean> => {
    const results = await publisher.publish(names.map((name) => item(event, name)))
    return results.every(({ ok }) => ok)
  }
  let first: Promise<boolean> | undefined
  for (let commit = 0; !isWaiting(); commit++) {
    assert.ok(commit <= 2 * firstTry, 'it tries a wait')
    let isAnswered = false
    first = publish('e', `alone-${commit}`)
    void first.then(() => (isAnswered = true))
    await eventually('it is answered, or waits', () => isAnswered || isWaiting(), 0)
  }
  seen.commits = 0
  return { clock, store, publisher, publish, isWaiting, first, seen }
}

describe('createPublisher(), when notifications come one by one', () => {
  it('puts them into one commit, and goes on so without a wait to the end', async () => {
    const { clock, publisher, publish, isWaiting, first, seen } = await openPublisher()
    const second = publish('e', 'second')
    await clock.advance(ms)
    assert.deepEqual(await Promise.all([first, second]), [true, true])
    assert.equal(seen.commits, 1)
    const third = publish('e', 'third')
    await eventually('it waits', isWaiting, 0)
    assert.deepEqual(await Promise.all([third, publish('e', 'fourth')]), [true, true])
    assert.equal(seen.commits, 2)
    const many = Array.from({ length: enough }, (_, index) => `many-${index}`)
    assert.equal(await publish('e', ...many), true)
    await publisher.close()
  })

  it('decides anew for an event type that comes while another is under way, and for what comes after that', async () => {
    const { clock, publisher, publish, isWaiting, first, seen } = await openPublisher()
    const second = publish('e', 'second')
    await clock.advance(ms)
    await Promise.all([first, second])
    const hold = Promise.withResolvers<void>()
    seen.held = hold.promise
    const underWay = [publish('e', 'a'), publish('e', 'b')]
    await eventually('they are under way', () => seen.commits === 2, 0)
    const other = publish('f', 'c')
    await eventually('the other event type waits', isWaiting, 0)
    await clock.advance(ms)
    await eventually('it is under way', () => seen.commits === 3, 0)
    const after = publish('e', 'd')
    hold.resolve()
    await Promise.all([...underWay, other])
    await eventually('the one after waits', isWaiting, 0)
    await clock.advance(ms)
    assert.equal(await after, true)
    await publisher.close()
  })

  it('sends at once where ingests share the event type, which wait for each other already', async () => {
    const { clock, store, publisher, publish, isWaiting, first } = await openPublisher()
    const sign = { kind: 'put', key: toBytes(waitingKey('e')), value: toBytes('') } as const
    await store.txn({ compare: [], success: [sign] })
    const second = publish('e', 'second')
    await clock.advance(ms)
    await Promise.all([first, second])
    let isAnswered = false
    const third = publish('e', 'third').finally(() => (isAnswered = true))
    await eventually('it is answered, or waits', () => isAnswered || isWaiting(), 0)
    assert.equal(isAnswered, true)
    assert.equal(await third, true)
    await publisher.close()
  })
})
