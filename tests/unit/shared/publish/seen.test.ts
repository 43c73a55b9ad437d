import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createFrame } from '#shared/publish/attempt.ts'
import { createOthers } from '#shared/publish/others.ts'
import { createSeen } from '#shared/publish/seen.ts'
import { IDENTITY } from '../../../contract/publisher_support.ts'
import { createManualClock, settle } from '../../../support/clock.ts'
import { createMemoryStores } from '../../../support/memory_store.ts'

const frame = createFrame('e', IDENTITY)
const memory = createMemoryStores()

async function setUp() {
  const store = memory()
  const clock = createManualClock()
  const others = createOthers({ store, clock })
  const taken: bigint[] = []
  const committer = {
    newest: () => taken.at(-1) ?? 0n,
    take: async ({ modRevision }: { readonly modRevision: bigint }) => void taken.push(modRevision),
  }
  const seen = createSeen({ others, clock, committer, frame, onMany: () => undefined })
  others.follow()
  await settle()
  return {
    seen,
    others,
    clock,
    taken,
    async write(): Promise<bigint> {
      const put = { kind: 'put', key: frame.journal, value: toBytes('v') } as const
      const { revision } = await store.txn({ compare: [], success: [put] })
      await settle()
      return revision
    },
    /** Asks for arrivals within a time. @returns a function that tells the answer, if it is there */
    ask(ms: number): () => boolean | undefined {
      let answer: boolean | undefined
      void seen.arrive(clock.monotonic() + ms).then((isThere) => (answer = isThere))
      return () => answer
    },
  }
}

describe('createSeen()', () => {
  it('waits until others have committed, and takes it in order', async () => {
    const { seen, others, taken, write, ask } = await setUp()
    const answer = ask(10)
    await settle()
    assert.equal(answer(), undefined)
    const written = [await write()]
    assert.equal(answer(), true)
    written.push(await write())
    await seen.take()
    assert.deepEqual([taken, seen.isEmpty], [written, true])
    others.stop()
  })

  it('waits no longer than it is asked to, and not at all where others are not followed', async () => {
    const { others, clock, ask } = await setUp()
    const answer = ask(10)
    await clock.advance(9)
    assert.equal(answer(), undefined)
    await clock.advance(1)
    assert.equal(answer(), false)
    others.stop()
    const unfollowed = ask(10)
    await settle()
    assert.equal(unfollowed(), false)
    assert.equal(clock.timers, 0)
  })

  it('forgets what it has seen: it may be of a store that was replaced', async () => {
    const { seen, others, taken, write } = await setUp()
    await write()
    seen.forget()
    await seen.take()
    assert.deepEqual([taken, seen.isEmpty], [[], true])
    const again = await write()
    await seen.take()
    assert.deepEqual(taken, [again])
    others.stop()
  })
})
