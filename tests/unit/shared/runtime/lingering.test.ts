import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { answerSender, followBody, type ArrivingBody } from '#shared/runtime/lingering.ts'

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

const refusal = (): Response => new Response('no', { status: 413, headers: { 'x-request-id': '7' } })

describe('followBody()', () => {
  it('hands on the request and its body as they are', async () => {
    const { request, body } = followBody(
      new Request('http://x/y', { method: 'POST', headers: { 'x-a': '1' }, body: 'text' }),
    )
    assert.equal(body.isOver, false)
    assert.deepEqual([request.url, request.method, request.headers.get('x-a')], ['http://x/y', 'POST', '1'])
    assert.equal(await request.text(), 'text')
    assert.equal(body.isOver, true)
  })

  it('is over at once where there is no body', () => {
    assert.equal(followBody(new Request('http://x/')).body.isOver, true)
  })

  it('takes what a handler has left, after it has cancelled', async () => {
    const upload = uploading()
    const { request, body } = followBody(upload.request)
    upload.send('one')
    const reader = request.body?.getReader()
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'one')
    await reader?.cancel()
    upload.send('two')
    upload.end()
    await body.takeRest()
    assert.equal(body.isOver, true)
  })

  it('takes no more than the bounds say', async () => {
    const byBytes = uploading()
    const first = followBody(byBytes.request, { bytes: 3, ms: 60_000 }).body
    byBytes.send('four')
    await first.takeRest()
    const second = followBody(uploading().request, { bytes: 3, ms: 1 }).body
    await second.takeRest()
    assert.deepEqual([first.isOver, second.isOver], [false, false])
  })
})

describe('answerSender()', () => {
  const over: ArrivingBody = { isOver: true, takeRest: () => Promise.resolve() }

  it('leaves an answer as it is where the body is over', async () => {
    const answer = refusal()
    assert.equal(await answerSender(answer, over), answer)
  })

  it('gives a refusal at once to a client that still sends, and ends it when that has sent', async () => {
    const upload = uploading()
    const { body } = followBody(upload.request)
    const answer = await answerSender(refusal(), body)
    const { status, headers } = answer
    assert.deepEqual([status, headers.get('x-request-id'), headers.get('content-length')], [413, '7', '2'])
    const reader = answer.body?.getReader()
    assert.equal(new TextDecoder().decode((await reader?.read())?.value), 'no')
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
    const { request, body } = followBody(upload.request)
    const echo = await answerSender(new Response(request.body), body)
    upload.send('echo')
    upload.end()
    assert.equal(await echo.text(), 'echo')
  })
})
