import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { runFunction, type FunctionOptions } from '#shared/client/run_function.ts'
import type { StreamMessage } from '#shared/client/stream.ts'
import { createSkippingClock } from '../../../support/clock.ts'
import { never, notification } from '../../scripts/aviso/fixture.ts'

/** A stream of three notifications, and the places between them. */
async function* stream(): AsyncGenerator<StreamMessage> {
  yield { kind: 'connected', cursor: 'e.1' }
  for (const number of [2, 3, 4]) {
    yield { kind: 'notification', event: notification({ id: `flight@${number}` }), cursor: `e.${number}` }
  }
  yield { kind: 'progress', cursor: 'e.9' }
}

/** Runs a function, and says what it was called with, what was saved, and how long was waited. */
async function run(
  act: (id: string, calls: readonly string[]) => void,
  options: Partial<FunctionOptions> = {},
) {
  const [calls, saved, logged]: [string[], string[], string[]] = [[], [], []]
  const clock = createSkippingClock()
  const ended = await runFunction(stream(), {
    function: async ({ id }) => {
      calls.push(id)
      await Promise.resolve()
      act(id, calls)
    },
    savePosition: (cursor) => void saved.push(cursor),
    clock,
    random: () => 1,
    output: { log: (level, message) => void logged.push(`${level} ${message}`) },
    stop: never,
    ...options,
  }).then(
    () => undefined,
    (error: unknown) => error,
  )
  return { calls, saved, logged, ended, sleeps: clock.sleeps }
}

describe('runFunction()', () => {
  it('calls it for each notification, and saves each place afterwards', async () => {
    const { calls, saved, ended } = await run(() => undefined)
    assert.equal(ended, undefined)
    assert.deepEqual(calls, ['flight@2', 'flight@3', 'flight@4'])
    assert.deepEqual(saved, ['e.1', 'e.2', 'e.3', 'e.4', 'e.9'])
  })

  it('tries again what fails, and goes on when it succeeds', async () => {
    const { calls, logged, sleeps, ended } = await run((id, calls) => {
      if (id === 'flight@3' && calls.length < 4) throw new Error('not yet')
    })
    assert.equal(ended, undefined)
    assert.deepEqual(calls, ['flight@2', 'flight@3', 'flight@3', 'flight@3', 'flight@4'])
    assert.deepEqual(sleeps, [1500, 2500])
    assert.equal(logged[0], 'ERROR The function failed for flight@3: not yet, attempt 2 of 4 follows')
  })

  it('stops for good at the failure, whose place is not saved', async () => {
    const { calls, saved, ended } = await run(
      (id) => {
        if (id === 'flight@3') throw new Error('never')
      },
      { retries: 1 },
    )
    assert.ok(ended instanceof ClientError && ended.cause instanceof Error)
    assert.equal(ended.message, 'The function failed for flight@3: never')
    assert.deepEqual(calls, ['flight@2', 'flight@3', 'flight@3'])
    assert.deepEqual(saved, ['e.1', 'e.2'])
  })

  it('passes over what fails where it is told so', async () => {
    const { saved, ended } = await run(
      () => {
        throw new Error('never')
      },
      { retries: 0, onFailure: 'continue' },
    )
    assert.equal(ended, undefined)
    assert.equal(saved.at(-1), 'e.9')
  })

  it('makes no further attempt after it was told to stop, and saves nothing more', async () => {
    const stopping = new AbortController()
    const { calls, saved, ended } = await run(
      () => {
        stopping.abort()
        throw new Error('no')
      },
      { stop: stopping.signal },
    )
    assert.equal(ended, undefined)
    assert.deepEqual([calls, saved], [['flight@2'], ['e.1']])
  })
})
