import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readBody } from '#shared/http/read_body.ts'
import { createManualClock } from '../../../support/clock.ts'

function post(
  body: string | ReadableStream<Uint8Array> | null,
  headers: Record<string, string> = {},
): Request {
  const init = { method: 'POST', body, headers, duplex: 'half' }
  return new Request('http://localhost/x', init as RequestInit)
}

function streamOf(
  pieces: readonly string[],
  seen: { pulled: number; cancelled: boolean },
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[seen.pulled++]
        if (piece === undefined) controller.close()
        else controller.enqueue(new TextEncoder().encode(piece))
      },
      cancel() {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
}

const limits = { limitBytes: 10, timeoutMs: 1000, clock: createManualClock() }

describe('readBody()', () => {
  it('reads with and without a declared length, and an absent body as empty', async () => {
    assert.equal(
      new TextDecoder().decode(await readBody(post('hello', { 'content-length': '5' }), limits)),
      'hello',
    )
    const seen = { pulled: 0, cancelled: false }
    assert.equal(
      new TextDecoder().decode(await readBody(post(streamOf(['he', 'll', 'o'], seen)), limits)),
      'hello',
    )
    assert.equal((await readBody(post(null), limits)).byteLength, 0)
  })

  it('refuses a declared length over the limit before it reads anything', async () => {
    const seen = { pulled: 0, cancelled: false }
    const request = post(streamOf(['x'], seen), { 'content-length': '11' })
    await assert.rejects(readBody(request, limits), { code: 'ERR_TOO_LARGE' })
    assert.equal(seen.pulled, 0)
  })

  it('stops reading an undeclared body at the limit', async () => {
    const seen = { pulled: 0, cancelled: false }
    const endless = Array.from({ length: 1000 }, () => 'xxxx')
    await assert.rejects(readBody(post(streamOf(endless, seen)), limits), { code: 'ERR_TOO_LARGE' })
    assert.ok(seen.pulled <= 4, `pulled ${seen.pulled} pieces`)
    assert.equal(seen.cancelled, true)
  })

  it('refuses a length that is understated, or not a number', async () => {
    await assert.rejects(readBody(post('x'.repeat(11), { 'content-length': '3' }), limits), {
      code: 'ERR_TOO_LARGE',
    })
    for (const length of ['-1', '1e3', '0x5', 'abc', '']) {
      await assert.rejects(readBody(post('hello', { 'content-length': length }), limits), {
        code: 'ERR_BAD_REQUEST',
      })
    }
  })

  it('refuses any compression and takes identity', async () => {
    for (const encoding of ['gzip', 'br', 'gzip, gzip', 'identity;q=0', 'unknown']) {
      await assert.rejects(readBody(post('x', { 'content-encoding': encoding }), limits), {
        code: 'ERR_UNSUPPORTED_MEDIA_TYPE',
      })
    }
    assert.equal((await readBody(post('x', { 'content-encoding': 'Identity' }), limits)).byteLength, 1)
  })

  it('gives up when the time is over, and stops its timer when it is not', async () => {
    const clock = createManualClock()
    const bounded = { limitBytes: 10, timeoutMs: 1000, clock }
    await readBody(post('hello'), bounded)
    assert.equal(clock.timers, 0)
    const cancelled = { pulled: 0, cancelled: false }
    const silent = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled.cancelled = true) })
    const reading = assert.rejects(readBody(post(silent), bounded), { code: 'ERR_BODY_TIMEOUT' })
    assert.equal(clock.timers, 1)
    clock.jump(-3_600_000)
    await clock.advance(1000)
    await reading
    assert.deepEqual([clock.timers, cancelled.cancelled], [0, true])
  })

  it('calls a body that breaks off the client’s failure', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('reset')),
    })
    await assert.rejects(readBody(post(broken), limits), { code: 'ERR_BAD_REQUEST' })
  })
})
