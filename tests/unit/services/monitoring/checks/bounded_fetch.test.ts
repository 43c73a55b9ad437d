import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fetchBounded } from '#services/monitoring/checks/bounded_fetch.ts'
import { isAvisoError } from '#shared/errors.ts'

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
        () => Promise.resolve(new Response(body)),
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
      (_url, init) => {
        assert.equal(init.redirect, 'manual')
        return Promise.resolve(new Response('away', { status: 302 }))
      },
      'http://127.0.0.1:1',
      {},
      { timeoutMs: 1_000, limitBytes: 100 },
    )
    assert.deepEqual(answer, { status: 302, text: 'away' })
  })

  it('tells every failure as one', async () => {
    const signal = AbortSignal.abort()
    const fetch = (_url: string, init: RequestInit): Promise<Response> => {
      assert.ok(init.signal?.aborted)
      return Promise.reject(new TypeError('secret details'))
    }
    await assert.rejects(
      fetchBounded(fetch, 'http://127.0.0.1:1', {}, { timeoutMs: 1_000, limitBytes: 1, signal }),
      (error) => isAvisoError(error, 'ERR_STORE_UNAVAILABLE') && !error.message.includes('secret'),
    )
  })
})
