import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toBytes } from '#shared/bytes/bytes.ts'
import type { FetchLikeResponse } from '#shared/runtime/fetch_like.ts'
import { createHttpTransport } from '#shared/store/etcd/http.ts'
import type { MessageStream } from '#shared/store/etcd/transport.ts'
import { systemClock } from '#shared/time/clock.ts'

/** A watch that is answered with the pieces that `read` gives. */
async function openWatch(read: FetchLikeResponse['read']): Promise<MessageStream> {
  const fetch = (): Promise<FetchLikeResponse> =>
    Promise.resolve({ status: 200, read, cancel: () => undefined })
  const transport = createHttpTransport({ fetch, watchFetch: fetch, clock: systemClock })
  const { signal } = new AbortController()
  const opened = await transport.open({ endpoint: 'http://etcd.test', message: {}, token: undefined, signal })
  assert.ok(opened.kind === 'done')
  return opened.value
}

describe('createHttpTransport().open()', () => {
  it('gives the messages of each piece, and one without line feed at the end', async () => {
    const pieces = ['{"a":1}\n\n{"b":', '2}\n', '{"c"', ':3}'].map(toBytes)
    const { next } = await openWatch(() => Promise.resolve(pieces.shift()))
    assert.deepEqual(await next(), [{ a: 1 }])
    assert.deepEqual(await next(), [{ b: 2 }])
    assert.deepEqual(await next(), [])
    assert.deepEqual(await next(), [])
    assert.deepEqual(await next(), [{ c: 3 }])
    assert.equal(await next(), undefined)
    assert.equal(await next(), undefined)
  })

  it('says that a line is too large that has no end and cannot be cut', async () => {
    const piece = new Uint8Array(8 * 1024 * 1024)
    let given = 0
    const { next } = await openWatch(() => Promise.resolve(given++ < 20 ? piece : undefined))
    for (let index = 0; index < 8; index++) assert.deepEqual(await next(), [])
    assert.deepEqual(await next(), [{ error: { code: 8, message: 'Received message larger than max' } }])
    assert.equal(given, 9)
  })
})
