import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { isNotSent, notSentError } from '#shared/runtime/plain_fetch.ts'
import type { FetchLikeResponse } from '#shared/runtime/fetch_like.ts'
import { nextTurn } from '#shared/time/turn.ts'
import { within } from '../../../support/waiting.ts'

const { unary, watch } = (await detectPlatform()).storeFetch

/** A server for one test. */
async function serving(
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  test: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece: Uint8Array) => (body += new TextDecoder().decode(piece)))
    request.on('end', () => answer(request, response, body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    await test(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
}

function request(signal = new AbortController().signal) {
  return { headers: { 'Content-Type': 'application/json', 'X-One': '1' }, body: '{"é":1}', signal }
}

async function textOf(response: FetchLikeResponse): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for (let piece = await response.read(); piece !== undefined; piece = await response.read())
    text += decoder.decode(piece, { stream: true })
  return text
}

for (const [name, send] of Object.entries({ unary, watch })) {
  describe(`storeFetch.${name}`, () => {
    it('posts a body with its headers, and reads the answer to its end', async () => {
      await serving(
        ({ method, headers }, response, body) => {
          response
            .writeHead(201)
            .end(JSON.stringify([method, headers['x-one'], headers['content-type'], body]))
        },
        async (url) => {
          const response = await send(`${url}/v3/x`, request())
          assert.equal(response.status, 201)
          assert.deepEqual(JSON.parse(await textOf(response)), ['POST', '1', 'application/json', '{"é":1}'])
          assert.equal(await response.read(), undefined)
        },
      )
    })

    it('gives pieces as they come', async () => {
      const first = Promise.withResolvers<void>()
      await serving(
        (_, response) => {
          response.write('one')
          void first.promise.then(() => response.end('two'))
        },
        async (url) => {
          const response = await send(url, request())
          assert.equal(new TextDecoder().decode(await within('a piece', response.read())), 'one')
          first.resolve()
          assert.equal(await within('the rest', textOf(response)), 'two')
        },
      )
    })

    it('reads megabytes whole, and lets them wait at the sender while nobody reads', async () => {
      const half = new Uint8Array(16 * 1024 * 1024).fill(97)
      const responses: ServerResponse[] = []
      await serving(
        (_, response) => {
          responses.push(response)
          response.writeHead(200, { 'Content-Length': half.length * 2 })
          response.write(half)
          response.end(half)
        },
        async (url) => {
          const response = await within('the answer', send(url, request()))
          const first = await response.read()
          // Were it all taken, it would be within these turns.
          for (let turn = 0; turn < 5_000; turn++) await nextTurn()
          assert.equal(responses[0]?.writableFinished, false, 'the sender has something left')
          let bytes = first?.length ?? 0
          const readAll = async (): Promise<void> => {
            for (let piece = await response.read(); piece !== undefined; piece = await response.read())
              bytes += piece.length
          }
          await within('the end', readAll())
          assert.equal(bytes, half.length * 2)
        },
      )
    })

    it('follows no redirect', async () => {
      let requests = 0
      await serving(
        (_, response) => {
          requests++
          response.writeHead(307, { Location: '/elsewhere' }).end()
        },
        async (url) => {
          const response = await send(url, request())
          assert.notEqual(response.status, 200)
          response.cancel()
          assert.equal(requests, 1)
        },
      )
    })

    it('tells a request that never left from one that may have arrived', async () => {
      let port = ''
      await serving(
        () => undefined,
        async (url) => {
          port = url
        },
      )
      await assert.rejects(send(port, request()), (error) => isAvisoError(error, 'ERR_STORE_UNAVAILABLE'))
      await assert.rejects(send('http://no-such-host.invalid:2379/', request()), (error) =>
        isAvisoError(error, 'ERR_STORE_UNAVAILABLE'),
      )
      await serving(
        ({ socket }) => socket.destroy(),
        async (url) => {
          await assert.rejects(send(url, request()), (error) => !isAvisoError(error))
        },
      )
    })

    it('closes the connection when it is cancelled, and when the signal aborts', async () => {
      const closed = [
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
        Promise.withResolvers<void>(),
      ]
      let index = 0
      await serving(
        (_, response) => {
          const { resolve } = closed[index++] ?? Promise.withResolvers<void>()
          response.once('close', resolve)
          if (index < 3) response.write('one')
        },
        async (url) => {
          const cancelled = await send(url, request())
          await cancelled.read()
          cancelled.cancel()
          cancelled.cancel()
          await within('the first close', closed[0]?.promise ?? Promise.reject())
          const both = new AbortController()
          const read = await send(url, request(both.signal))
          await read.read()
          const pending = read.read().catch(() => undefined)
          read.cancel()
          both.abort()
          assert.equal(await within('the end of reading', pending), undefined)
          await within('the second close', closed[1]?.promise ?? Promise.reject())
          const early = new AbortController()
          const unanswered = send(url, request(early.signal))
          setTimeout(() => early.abort(), 50)
          await assert.rejects(within('the end', unanswered))
          await within('the third close', closed[2]?.promise ?? Promise.reject())
        },
      )
    })
  })
}

describe('isNotSent()', () => {
  it('believes only signs of a connection that never was', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    assert.equal(isNotSent(refused), true)
    assert.equal(isNotSent(new TypeError('fetch failed', { cause: refused })), true)
    const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' })
    assert.equal(isNotSent(new AggregateError([refused, refused])), true)
    assert.equal(isNotSent(new AggregateError([refused, reset])), false)
    assert.equal(isNotSent(new AggregateError([])), false)
    for (const code of [
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'CERT_HAS_EXPIRED',
    ]) {
      const untrusted = Object.assign(new Error('x'), { code })
      assert.equal(isNotSent(untrusted), true)
      assert.match(notSentError(untrusted).message, /certificate is not trusted/)
      assert.match(notSentError(new TypeError('fetch failed', { cause: untrusted })).message, /certificate/)
    }
    assert.doesNotMatch(notSentError(refused).message, /certificate/)
    for (const error of [reset, new Error('socket hang up'), 'ECONNREFUSED', undefined])
      assert.equal(isNotSent(error), false)
  })
})
