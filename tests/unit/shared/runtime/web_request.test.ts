import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Answer } from '#shared/handler.ts'
import { respondTo, WebRequest } from '#shared/runtime/web_request.ts'

/** A request whose body is fed by the test. */
function uploading(): {
  readonly request: Request
  readonly send: (text: string) => void
  readonly end: () => void
} {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller
    },
  })
  const init: RequestInit & { readonly duplex: 'half' } = { method: 'POST', body, duplex: 'half' }
  return {
    request: new Request('http://x/', init),
    send: (text) => source?.enqueue(new TextEncoder().encode(text)),
    end: () => source?.close(),
  }
}

const closing = { isClosing: true }
const refusal: Answer = { status: 413, headers: { 'x-request-id': '7' }, body: 'no' }
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)

describe('WebRequest', () => {
  it('hands on the request and its body as they are', async () => {
    for (const isClosing of [true, false]) {
      const sent = new Request('http://x/y', { method: 'POST', headers: { 'x-a': '1' }, body: 'text' })
      const request = new WebRequest(sent, { isClosing, findPeer: () => '192.0.2.1' })
      assert.equal(request.isOver, !isClosing)
      const { url, method, headers, peer } = request
      assert.deepEqual([url, method, headers.get('x-a'), peer], ['http://x/y', 'POST', '1', '192.0.2.1'])
      assert.equal(text(new Uint8Array(await request.arrayBuffer())), 'text')
      assert.equal(request.isOver, true)
    }
  })

  it('is over at once where there is no body', () => {
    assert.equal(new WebRequest(new Request('http://x/'), closing).isOver, true)
  })

  it('takes what a handler has left, after it has cancelled', async () => {
    const upload = uploading()
    const request = new WebRequest(upload.request, closing)
    upload.send('one')
    const reader = request.body?.getReader()
    assert.equal(text((await reader?.read())?.value), 'one')
    await reader?.cancel()
    upload.send('two')
    upload.end()
    await request.takeRest()
    assert.equal(request.isOver, true)
  })

  it('takes no more than the bounds say', async () => {
    const byBytes = uploading()
    const first = new WebRequest(byBytes.request, closing, { bytes: 3, ms: 60_000 })
    byBytes.send('four')
    await first.takeRest()
    const second = new WebRequest(uploading().request, closing, { bytes: 3, ms: 1 })
    await second.takeRest()
    assert.deepEqual([first.isOver, second.isOver], [false, false])
  })
})

describe('respondTo()', () => {
  it('gives an ordinary answer where the body is over', async () => {
    const request = new WebRequest(new Request('http://x/'), closing)
    const response = await respondTo(request, refusal)
    assert.deepEqual([response.status, response.headers.get('content-length')], [413, null])
    assert.equal(await response.text(), 'no')
  })

  it('gives a refusal at once to a client that still sends, and ends it when that has sent', async () => {
    const upload = uploading()
    const response = await respondTo(new WebRequest(upload.request, closing), refusal)
    const { status, headers } = response
    assert.deepEqual([status, headers.get('x-request-id'), headers.get('content-length')], [413, '7', '2'])
    const reader = response.body?.getReader()
    assert.equal(text((await reader?.read())?.value), 'no')
    let isEnded = false
    const ended = reader?.read().then(({ done }) => (isEnded = done))
    upload.send('more')
    await new Promise((turn) => setTimeout(turn))
    assert.equal(isEnded, false)
    upload.end()
    await ended
    assert.equal(isEnded, true)
  })

  it('takes nothing of a body while its handler answers', async () => {
    const upload = uploading()
    const request = new WebRequest(upload.request, closing)
    const echo = await respondTo(request, { status: 200, headers: {}, body: request.body })
    upload.send('echo')
    upload.end()
    assert.equal(await echo.text(), 'echo')
  })
})
