import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { INGEST_LIMITS } from '#services/rest/limits.ts'
import { AvisoError } from '#shared/errors.ts'
import { dissemination, setUp } from './rest_fixture.ts'

const NDJSON = { 'content-type': 'application/x-ndjson' }

function line(step: number): string {
  return JSON.stringify({ ...dissemination({ step: String(step) }), id: `id-${String(step)}` })
}

/** The answer's lines. */
function linesOf(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((part) => part !== '')
    .map((part) => JSON.parse(part) as Record<string, unknown>)
}

/** A body that the test writes. */
function openBody(): {
  readonly body: ReadableStream<Uint8Array>
  write(text: string): void
  end(): void
  fail(): void
  readonly cancelled: () => boolean
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let cancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (started) => {
      controller = started
    },
    cancel: () => {
      cancelled = true
    },
  })
  return {
    body,
    write: (text) => controller?.enqueue(new TextEncoder().encode(text)),
    end: () => controller?.close(),
    fail: () => controller?.error(new Error('connection reset')),
    cancelled: () => cancelled,
  }
}

function request(body: ReadableStream<Uint8Array>): Request {
  const init = { method: 'POST', headers: NDJSON, body, duplex: 'half' }
  return new Request('http://127.0.0.1/api/v1/notification', init)
}

/** Reads an answer line by line. */
function lineReader(response: Response): () => Promise<Record<string, unknown> | undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let buffer = ''
  return async () => {
    for (;;) {
      const end = buffer.indexOf('\n')
      if (end !== -1) {
        const text = buffer.slice(0, end)
        buffer = buffer.slice(end + 1)
        return JSON.parse(text) as Record<string, unknown>
      }
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      if (done) return undefined
      buffer += value
    }
  }
}

describe('POST /api/v1/notification, a stream of lines', () => {
  it('answers every line that is not blank, in order', async () => {
    const { post, items } = setUp()
    const { status, headers, text } = await post(`${line(1)}\n\r\n  \n${line(2)}\r\n${line(3)}`, NDJSON)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/x-ndjson')
    assert.deepEqual(
      linesOf(text).map((result) => [result['line'], result['status'], result['id']]),
      [
        [1, 200, 'dissemination@1'],
        [4, 200, 'dissemination@2'],
        [5, 200, 'dissemination@3'],
      ],
    )
    assert.equal(items.length, 3)
  })

  it('answers a line before the next one is sent', async () => {
    const { handler } = setUp()
    const { body, write, end } = openBody()
    const next = lineReader(await handler(request(body)))
    write(`${line(1)}\n`)
    assert.equal((await next())?.['line'], 1)
    const second = line(2)
    write(second.slice(0, 20))
    write(`${second.slice(20)}\n`)
    assert.equal((await next())?.['line'], 2)
    end()
    assert.equal(await next(), undefined)
  })

  it('goes on after a line that is refused', async () => {
    const { post, items } = setUp()
    const bad = JSON.stringify(dissemination({ date: '20250230' }))
    const { text } = await post(`${line(1)}\n{"a":\n${bad}\n${line(2)}\n`, NDJSON)
    assert.deepEqual(
      linesOf(text).map((result) => [result['status'], result['field']]),
      [
        [200, undefined],
        [400, undefined],
        [400, 'date'],
        [200, undefined],
      ],
    )
    assert.equal(items.length, 2)
  })

  it('tells what the store refused', async () => {
    const failures = new Map([['id-1', new AvisoError('ERR_STORE_FULL', 'The store is full')]])
    const { post } = setUp({ failures })
    const { text } = await post(`${line(1)}\n${line(2)}\n`, NDJSON)
    assert.deepEqual(
      linesOf(text).map((result) => [result['status'], result['outcome']]),
      [
        [503, 'none'],
        [200, undefined],
      ],
    )
  })

  it('ends with an error and no line at a line that is too long; what came before is stored', async () => {
    const { post, items } = setUp({ limits: { bodyBytes: 2000 } })
    const { text } = await post(`${line(1)}\n"${'x'.repeat(3000)}"\n${line(2)}\n`, NDJSON)
    const [first, last, ...rest] = linesOf(text)
    assert.equal(first?.['status'], 200)
    assert.deepEqual([last?.['status'], last?.['line'], rest.length], [413, undefined, 0])
    assert.equal(items.length, 1)
  })

  it('ends with an error after too many lines', async () => {
    const { post, items } = setUp({ limits: { streamLines: 2 } })
    const { text } = await post(`${line(1)}\n${line(2)}\n${line(3)}\n`, NDJSON)
    assert.deepEqual(
      linesOf(text).map((result) => result['status']),
      [200, 200, 413],
    )
    assert.equal(items.length, 2)
  })

  it('ends with an error when the client stalls, and when it breaks off', async () => {
    const stalled = setUp()
    const slow = openBody()
    const next = lineReader(await stalled.handler(request(slow.body)))
    slow.write(`${line(1)}\n`)
    assert.equal((await next())?.['status'], 200)
    await stalled.clock.advance(INGEST_LIMITS.bodyTimeoutMs)
    assert.equal((await next())?.['status'], 408)
    assert.equal(await next(), undefined)
    assert.equal(slow.cancelled(), true)

    const broken = setUp()
    const cut = openBody()
    const rest = lineReader(await broken.handler(request(cut.body)))
    cut.write(`${line(1)}\n${line(2).slice(0, 30)}`)
    assert.equal((await rest())?.['status'], 200)
    cut.fail()
    assert.equal((await rest())?.['status'], 400)
    assert.equal(broken.items.length, 1)
  })

  it('hands lines over in groups that fit one transaction', async () => {
    const { post, calls } = setUp()
    const text = Array.from({ length: 300 }, (_, index) => `${line(index)}\n`).join('')
    await post(text, NDJSON)
    // How a body comes in pieces is the runtime's matter; a piece may end a group early.
    assert.equal(
      calls.reduce((sum, size) => sum + size, 0),
      300,
    )
    assert.equal(Math.max(...calls), 128)
  })

  it('stops reading when the client leaves', async () => {
    const { handler } = setUp()
    const { body, write, cancelled } = openBody()
    const response = await handler(request(body))
    const reader = response.body?.getReader()
    write(`${line(1)}\n`)
    await reader?.read()
    await reader?.cancel()
    assert.equal(cancelled(), true)
  })

  it('refuses a compressed stream', async () => {
    const { refuse } = setUp()
    assert.equal((await refuse('x', { ...NDJSON, 'content-encoding': 'gzip' })).status, 415)
  })
})
