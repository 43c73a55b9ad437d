import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
import type { AnswerBody, Handler } from '#shared/handler.ts'
import { createNodePlatform } from '#shared/runtime/node.ts'
import type { RunningServer } from '#shared/runtime/runtime.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { eventually } from '../support/waiting.ts'

const servers: RunningServer[] = []
after(() => Promise.all(servers.map((server) => server.close())))

async function serveBody(make: () => AnswerBody): Promise<string> {
  return serve(async () => ({ status: 200, headers: { 'x-kept': 'yes' }, body: make() }))
}

async function serve(handler: Handler): Promise<string> {
  const server = await createNodePlatform().serve(handler, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  return server.url
}

/** A client of bare sockets: what it sends and gets is what is on the wire. */
async function open(url: string, request: string): Promise<{ readonly socket: Socket; text: () => string }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  socket.on('error', () => undefined)
  await new Promise((written) => socket.write(request, written))
  return { socket, text: () => text }
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** A source with a first piece, which notes what is asked of it. */
function sourced(onPull: (sink: ByteSink) => void): {
  readonly body: ByteSource
  readonly calls: string[]
  readonly sink: () => ByteSink | undefined
} {
  const calls: string[] = []
  let opened: ByteSink | undefined
  const body: ByteSource = {
    open: (sink) => {
      calls.push('open')
      opened = sink
      sink.enqueue(toBytes('first;'))
    },
    pull: () => {
      calls.push('pull')
      if (opened !== undefined) onPull(opened)
    },
    cancel: () => calls.push('cancel'),
  }
  return { body, calls, sink: () => opened }
}

describe('writeAnswer()', () => {
  it('writes every piece of a stream, in order, and its end', async () => {
    // Nothing must not be taken for the end, which is a chunk of no bytes.
    const pieces = ['one', 'two', '', 'x'.repeat(200_000), 'last']
    const url = await serveBody(() => {
      let next = 0
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        const piece = pieces[next++]
        if (piece === undefined) controller.close()
        else controller.enqueue(toBytes(piece))
      }
      return new ReadableStream({ pull })
    })
    const answer = await fetch(url)
    assert.equal(answer.headers.get('x-kept'), 'yes')
    assert.equal(await answer.text(), pieces.join(''))
  })

  it('frames the same piece for several clients alike', async () => {
    const shared = toBytes('shared'.repeat(100))
    const url = await serveBody(() => {
      let left = 3
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void =>
        left-- > 0 ? controller.enqueue(shared) : controller.close()
      return new ReadableStream({ pull })
    })
    const texts = await Promise.all([1, 2, 3].map(async () => (await fetch(url)).text()))
    assert.deepEqual(new Set(texts), new Set(['shared'.repeat(300)]))
  })

  it('asks a stream for no more than the client takes', async () => {
    const piece = new Uint8Array(64 * 1024)
    let made = 0
    let isCancelled = false
    const url = await serveBody(() => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        made++
        controller.enqueue(piece)
      }
      const cancel = (): void => {
        isCancelled = true
      }
      return new ReadableStream({ pull, cancel }, { highWaterMark: 0 })
    })
    const { socket } = await open(url, GET)
    socket.pause()
    // Made stays where it is once the buffers of the system are full.
    let before = -1
    await eventually('the writer stalls', async () => {
      const isSame = before === made
      before = made
      return isSame && made > 0
    })
    assert.ok(made < 1_000, `${made} pieces for a client that reads nothing`)
    socket.destroy()
    await eventually('the stream is cancelled', () => Promise.resolve(isCancelled))
  })

  it(
    'closes the connection of a client that does not take the end of a stream',
    { timeout: 30_000 },
    async (context) => {
      const piece = new Uint8Array(64 * 1024)
      const { body, calls, sink } = sourced((to) => to.enqueue(piece))
      const url = await serveBody(() => body)
      const { socket, text } = await open(url, GET)
      socket.pause()
      let before = -1
      await eventually('the writer stalls', async () => {
        const isSame = before === calls.length
        before = calls.length
        return isSame && calls.includes('pull')
      })
      const closed = new Promise((resolve) => socket.once('close', resolve))
      context.mock.timers.enable({ apis: ['setTimeout'] })
      sink()?.close()
      context.mock.timers.tick(9_999)
      assert.equal(socket.destroyed, false)
      context.mock.timers.tick(1)
      context.mock.timers.reset()
      socket.resume()
      await closed
      assert.ok(!text().endsWith('\r\n0\r\n\r\n'), 'the end never arrived')
      assert.ok(!calls.includes('cancel'), 'a source that ended needs no cancelling')
    },
  )

  it('lets a client that takes the end of a stream keep its connection', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const url = await serveBody(() => {
      const { body } = sourced((sink) => sink.close())
      return body
    })
    const { socket, text } = await open(url, GET)
    const ends = (): number => text().split('6\r\nfirst;\r\n0\r\n\r\n').length - 1
    const arrived = async (count: number): Promise<void> => {
      while (ends() < count) await new Promise((next) => setImmediate(next))
    }
    await arrived(1)
    context.mock.timers.tick(60_000)
    // Deno does not do that when the test is over.
    context.mock.timers.reset()
    socket.write(GET)
    await arrived(2)
    socket.destroy()
  })

  it('breaks the connection where a stream fails', async () => {
    const url = await serveBody(() => {
      let isFirst = true
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        if (isFirst) controller.enqueue(toBytes('begun'))
        else controller.error(new Error('broken'))
        isFirst = false
      }
      return new ReadableStream({ pull }, { highWaterMark: 0 })
    })
    await assert.rejects(fetch(url).then((answer) => answer.text()))
  })

  it('cancels the stream of an answer to HEAD', async () => {
    let isCancelled = false
    const cancel = (): void => {
      isCancelled = true
    }
    const url = await serveBody(() => new ReadableStream({ cancel }))
    const answer = await fetch(url, { method: 'HEAD' })
    assert.equal(answer.status, 200)
    await eventually('the stream is cancelled', () => Promise.resolve(isCancelled))
  })

  it('writes the first piece of a source, and asks for the rest', async () => {
    const parts = ['second;', 'third;']
    const { body, calls } = sourced((sink) => {
      const part = parts.shift()
      if (part === undefined) sink.close()
      else sink.enqueue(toBytes(part))
    })
    const url = await serveBody(() => body)
    assert.equal(await (await fetch(url)).text(), 'first;second;third;')
    assert.deepEqual(calls, ['open', 'pull', 'pull', 'pull'])
  })

  it('takes what a source has later', async () => {
    const { body, calls, sink } = sourced(() => undefined)
    const url = await serveBody(() => body)
    const { socket, text } = await open(url, GET)
    await eventually('the source is asked', () => Promise.resolve(calls.includes('pull')))
    sink()?.enqueue(toBytes('later'))
    await eventually('it arrives', () => Promise.resolve(text().includes('5\r\nlater\r\n')))
    assert.deepEqual(calls, ['open', 'pull', 'pull'])
    socket.destroy()
    await eventually('the source is told', () => Promise.resolve(calls.at(-1) === 'cancel'))
  })

  it('neither nests nor starves where a source always has more', async () => {
    const piece = toBytes('x'.repeat(10))
    const pieces = 50_000
    let made = 0
    let inTurn = 0
    let mostInTurn = 0
    const { body, calls } = sourced((sink) => {
      mostInTurn = Math.max(mostInTurn, ++inTurn)
      if (made++ < pieces) sink.enqueue(piece)
      else sink.close()
    })
    const url = await serveBody(() => body)
    const everyTurn = (): void => {
      inTurn = 0
      if (made <= pieces) setImmediate(everyTurn)
    }
    everyTurn()
    const text = await (await fetch(url)).text()
    assert.equal(text.length, 'first;'.length + pieces * piece.length)
    assert.ok(mostInTurn <= 32, `${mostInTurn} pieces before anything else had a turn`)
    assert.ok(!calls.includes('cancel'), 'a source that ended needs no cancelling')
  })

  it('asks a source that has no first piece', async () => {
    let opened: ByteSink | undefined
    const body: ByteSource = {
      open: (sink) => {
        opened = sink
      },
      pull: () => opened?.close(),
      cancel: () => undefined,
    }
    const url = await serveBody(() => body)
    assert.equal(await (await fetch(url)).text(), '')
  })

  it('writes a source that has ended before it is opened', async () => {
    const body: ByteSource = {
      open: (sink) => {
        for (const text of ['first;', 'closing;']) sink.enqueue(toBytes(text))
        sink.close()
      },
      pull: () => undefined,
      cancel: () => assert.fail('a source that ended needs no cancelling'),
    }
    const url = await serveBody(() => body)
    assert.equal(await (await fetch(url)).text(), 'first;closing;')
  })

  it('cancels a source for a client that has left', async () => {
    const { promise: hasLeft, resolve: leave } = Promise.withResolvers<void>()
    const { body, calls } = sourced(() => undefined)
    const url = await serve(async ({ signal }) => {
      signal.addEventListener('abort', () => leave())
      await hasLeft
      return { status: 200, headers: {}, body }
    })
    const { socket } = await open(url, GET)
    await eventually('the handler is asked', () => Promise.resolve(socket.bytesWritten > 0))
    socket.destroy()
    await eventually('the source is told', () => Promise.resolve(calls.length > 0))
    assert.deepEqual(calls, ['cancel'])
  })

  it('sends text and bytes with their length', async () => {
    for (const body of ['grüße', toBytes('grüße')]) {
      const url = await serveBody(() => body)
      const answer = await fetch(url)
      assert.deepEqual([answer.headers.get('content-length'), answer.headers.get('x-kept')], ['7', 'yes'])
      assert.equal(await answer.text(), 'grüße')
    }
  })

  it('answers 500 where a handler fails, or its answer cannot be written', async () => {
    const failing: Handler = () => Promise.reject(new Error('a defect'))
    const unwritable: Handler = async () => ({ status: 200, headers: { 'x-a': 'a\nb' }, body: 'text' })
    for (const handler of [failing, unwritable]) {
      const answer = await fetch(await serve(handler))
      assert.deepEqual([answer.status, await answer.text()], [500, ''])
    }
  })

  it('breaks the connection where a source fails', async () => {
    const { body } = sourced((sink) => sink.error(new Error('broken')))
    const url = await serveBody(() => body)
    await assert.rejects(fetch(url).then((answer) => answer.text()))
  })

  it('frames nothing for a client of HTTP/1.0', async () => {
    const parts = ['second;']
    const { body } = sourced((sink) => {
      const part = parts.shift()
      if (part === undefined) sink.close()
      else sink.enqueue(toBytes(part))
    })
    const url = await serveBody(() => body)
    const { text } = await open(url, 'GET / HTTP/1.0\r\n\r\n')
    await eventually('all arrives', () => Promise.resolve(text().endsWith('\r\n\r\nfirst;second;')))
  })

  it('keeps answers apart on a connection whose client asks ahead', async () => {
    const { promise: isReleased, resolve: release } = Promise.withResolvers<void>()
    const parts = ['second;']
    const { body } = sourced((sink) => {
      const part = parts.shift()
      if (part === undefined) sink.close()
      else sink.enqueue(toBytes(part))
    })
    const url = await serve(async (request) => {
      if (request.url.endsWith('/stream')) return { status: 200, headers: {}, body }
      await isReleased
      return { status: 200, headers: {}, body: 'slow' }
    })
    const ahead = 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\n\r\n'
    const { text } = await open(url, ahead)
    await eventually('the stream waits', () => Promise.resolve(parts.length === 0))
    assert.equal(text(), '')
    release()
    await eventually('both arrive', () => Promise.resolve(text().endsWith('0\r\n\r\n')))
    assert.match(
      text(),
      /^HTTP\/1\.1 200[^]*\r\n\r\nslowHTTP\/1\.1 200[^]*\r\n6\r\nfirst;\r\n7\r\nsecond;\r\n0\r\n\r\n$/,
    )
  })

  it('goes on with the next request on the same connection', async () => {
    const url = await serveBody(() => {
      const { body } = sourced((sink) => sink.close())
      return body
    })
    const { text } = await open(url, GET + GET + GET)
    await eventually('three answers', () =>
      Promise.resolve(text().split('6\r\nfirst;\r\n0\r\n\r\n').length === 4),
    )
  })
})
