import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BEAT_MS, MOST_MISSED, watchHeartbeat } from '../../../../scripts/serve/workers/heartbeat.ts'
import { createManualClock, settle } from '../../../support/clock.ts'

/** What a worker does with a question. */
type Ask = (signal: AbortSignal) => Promise<unknown>

const hang: Ask = () => new Promise(() => undefined)
const refuse: Ask = () => Promise.reject(new Error('refused'))
const answer: Ask = () => Promise.resolve()

/** A watched worker, which does what it is told to do next. */
function watch(first: Ask) {
  const clock = createManualClock()
  let ask = first
  let told = 0
  const stop = watchHeartbeat({ ask: (signal) => ask(signal), clock, onSilent: () => told++ })
  return {
    beats: async (count: number) => {
      for (let beat = 0; beat < count; beat++) await clock.advance(BEAT_MS)
      await settle()
    },
    from: (next: Ask) => (ask = next),
    told: () => told,
    timers: () => clock.timers,
    stop,
  }
}

describe('watchHeartbeat', () => {
  it('tells once of a worker that refuses so many questions', async () => {
    const { beats, told, timers } = watch(refuse)
    await beats(MOST_MISSED - 1)
    assert.equal(told(), 0)
    await beats(MOST_MISSED)
    assert.deepEqual([told(), timers()], [1, 0])
  })

  it('tells of a worker that leaves a question open, and gives the question up', async () => {
    const questions: AbortSignal[] = []
    const { beats, told } = watch((signal) => {
      questions.push(signal)
      return hang(signal)
    })
    await beats(MOST_MISSED)
    assert.equal(told(), 0, 'one beat asks, the others find it open')
    await beats(1)
    assert.equal(told(), 1)
    assert.deepEqual(
      questions.map(({ aborted }) => aborted),
      [true],
    )
  })

  it('counts what is missed in a row alone, and nothing after its end', async () => {
    const worker = watch(refuse)
    for (let round = 0; round < 3; round++) {
      worker.from(refuse)
      await worker.beats(MOST_MISSED - 1)
      worker.from(answer)
      await worker.beats(1)
    }
    assert.equal(worker.told(), 0)
    worker.from(refuse)
    await worker.beats(MOST_MISSED - 1)
    worker.stop()
    await worker.beats(MOST_MISSED)
    assert.deepEqual([worker.told(), worker.timers()], [0, 0])
  })
})
