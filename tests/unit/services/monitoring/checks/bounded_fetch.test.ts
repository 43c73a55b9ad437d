import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  fetchBounded,
  type BoundedAnswer,
  type MonitoringFetch,
} from '#services/monitoring/checks/bounded_fetch.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createManualClock } from '../../../../support/clock.ts'

const clock = createManualClock()
const MEBIBYTE = 1024 * 1024

describe('fetchBounded()', () => {
  it('stops reading at the limit', async () => {
    let pulled = 0
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(MEBIBYTE))
      },
      cancel() {
        isCancelled = true
      },
    })
    await assert.rejects(
      fetchBounded(
        { fetch: () => Promise.resolve(new Response(body)), clock },
        'http://127.0.0.1:1',
        {},
        { timeoutMs: 1_000, limitBytes: 3 * MEBIBYTE },
      ),
      (error) => isAvisoError(error, 'ERR_TOO_LARGE'),
    )
    assert.ok(pulled <= 6, `${pulled} MiB were read`)
    assert.ok(isCancelled)
  })

  it('gives an answer of any status, and never follows a redirect', async () => {
    const answer = await fetchBounded(
      {
        clock,
        fetch: (_url, init) => {
          assert.equal(init.redirect, 'manual')
          return Promise.resolve(new Response('away', { status: 302 }))
        },
      },
      'http://127.0.0.1:1',
      {},
      { timeoutMs: 1_000, limitBytes: 100 },
    )
    assert.deepEqual(answer, { status: 302, text: 'away' })
  })

  it('tells every failure as one', async () => {
    const signals: AbortSignal[] = []
    const ask = (fetch: MonitoringFetch, signal?: AbortSignal): Promise<BoundedAnswer> => {
      const bounds = { timeoutMs: 1_000, limitBytes: 1, ...(signal !== undefined && { signal }) }
      return fetchBounded({ fetch, clock }, 'http://127.0.0.1:1', {}, bounds)
    }
    const isUnavailable = (error: unknown): boolean =>
      isAvisoError(error, 'ERR_STORE_UNAVAILABLE') && !error.message.includes('secret')
    await assert.rejects(
      ask(() => Promise.reject(new TypeError('secret details'))),
      isUnavailable,
    )
    await assert.rejects(
      ask(() => assert.fail('it asks'), AbortSignal.abort()),
      isUnavailable,
    )
    const silent = assert.rejects(
      ask((_url, { signal }) => {
        if (signal instanceof AbortSignal) signals.push(signal)
        return new Promise(() => undefined)
      }),
      isUnavailable,
    )
    await clock.advance(1_000)
    await silent
    assert.equal(signals[0]?.aborted, true)
  })
})
