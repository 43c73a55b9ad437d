/**
 * Streams whose sockets are taken from `node:http`.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { ByteSink, ByteSource } from '#shared/bytes/byte_source.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Answer } from '#shared/handler.ts'
import { createNodePlatform } from '#shared/runtime/node.ts'
import { writeAnswer } from '#shared/runtime/node_answer.ts'
import { NodeRequest } from '#shared/runtime/node_request.ts'
import { StreamSockets, type Taking } from '#shared/runtime/node_stream_sockets.ts'
import { eventually } from '../support/waiting.ts'

const GET = 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n'
const GET_PLAIN = 'GET /plain HTTP/1.1\r\nHost: x\r\n\r\n'
const FIRST = '\r\n\r\n6\r\nfirst;\r\n'

/** The source of an answer, as a hub has it: with a first piece, and then only what the test gives it. */
class Source implements ByteSource {
  sink: ByteSink | undefined
  pulls = 0
  cancels = 0
  onPull: (sink: ByteSink) => void

  constructor(onPull: (sink: ByteSink) => void) {
    this.onPull = onPull
  }

  open(sink: ByteSink): void {
    this.sink = sink
    sink.enqueue(toBytes('first;'))
  }

  pull(): void {
    this.pulls++
    if (this.sink !== undefined) this.onPull(this.sink)
  }

  cancel(): void {
    this.cancels++
  }
}

describe('StreamSockets', { timeout: 30_000 }, () => {
  let server: Server
  let sockets: StreamSockets
  let port: number
  /** What came of each try to take a socket. */
  let takings: Taking[]
  let sources: Source[]
  let onFirstPull: (sink: ByteSink) => void
  const clients: Socket[] = []

  before(async () => {
    server = createServer((message, response) => {
      const isPlain = message.url === '/plain'
      const source = new Source(onFirstPull)
      if (!isPlain) sources.push(source)
      const answer = { status: 200, headers: {}, body: isPlain ? 'plain' : source }
      writeAnswer(answer, response, { received: new NodeRequest(message, response), sockets })
    })
    sockets = new StreamSockets(server)
    const take = sockets.take.bind(sockets)
    sockets.take = (response, owner) => {
      const taking = take(response, owner)
      takings.push(taking)
      return taking
    }
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    port = (server.address() as AddressInfo).port
  })
  beforeEach(() => {
    takings = []
    sources = []
    onFirstPull = () => undefined
  })
  after(() => {
    for (const client of clients) client.destroy()
    server.close()
  })

  interface Client {
    readonly socket: Socket
    readonly text: () => string
    readonly source: () => Source
    readonly shows: (text: string) => Promise<void>
  }

  function client(request: string): Client {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    clients.push(socket)
    let text = ''
    socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
    socket.on('error', () => undefined)
    socket.write(request)
    return {
      socket,
      text: () => text,
      source: () => {
        const source = sources.at(-1)
        assert.ok(source)
        return source
      },
      shows: (end) => eventually(`the client reads ${end}`, async () => text.endsWith(end)),
    }
  }

  async function open(request = GET): Promise<Client> {
    const opened = client(request)
    await opened.shows(FIRST)
    await eventually('the socket is taken', async () => takings.at(-1) === 'begun')
    return opened
  }

  it('go on with the stream, end it, and give the connection back for the next request', async () => {
    const { socket, source, shows, text } = await open()
    source().sink?.enqueue(toBytes('later'))
    await shows(`${FIRST}5\r\nlater\r\n`)
    source().sink?.close()
    await shows('later\r\n0\r\n\r\n')
    socket.write(GET)
    await shows(FIRST)
    await eventually('it is taken again', async () => takings.join() === 'begun,begun')
    source().sink?.close()
    await shows(`${FIRST}0\r\n\r\n`)
    socket.write(GET_PLAIN)
    await shows('\r\n\r\nplain')
    assert.equal(text().match(/HTTP\/1\.1 200 OK/g)?.length, 3)
    assert.deepEqual(
      sources.map(({ cancels }) => cancels),
      [0, 0],
    )
  })

  it('answer a client that asks ahead after the end of its stream, and not in it', async () => {
    const { socket, source, shows } = await open()
    await new Promise((written) => socket.write(GET_PLAIN.slice(0, 9), written))
    source().sink?.enqueue(toBytes('later'))
    await shows(`${FIRST}5\r\nlater\r\n`)
    await new Promise((written) => socket.write(GET_PLAIN.slice(9) + GET_PLAIN, written))
    source().sink?.enqueue(toBytes('again'))
    await shows('later\r\n5\r\nagain\r\n')
    source().sink?.close()
    await shows('\r\n\r\nplain')
    await eventually('both are answered', async () => sources.length === 1)
  })

  it('keep no more than a piece of what a client sends into its stream', async () => {
    const { socket, source, shows } = await open()
    const isFull = new Promise<void>((full) => {
      const write = (): void => {
        if (socket.write(new Uint8Array(1_000_000))) setImmediate(write)
        else setTimeout(full, 100)
      }
      write()
    })
    await isFull
    assert.ok(socket.writableLength > 0, 'the client cannot send for ever')
    source().sink?.enqueue(toBytes('later'))
    await shows('5\r\nlater\r\n')
  })

  it('tell the source when the client leaves', async () => {
    for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
      const { socket, source } = await open()
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket[leave]()
      await closed
      await eventually(`the source learns of ${leave}`, async () => source().cancels === 1)
    }
  })

  it('ask for no more than a client takes, and go on when it does', async () => {
    const piece = toBytes('x'.repeat(64 * 1024))
    const { socket, source, shows, text } = await open()
    socket.pause()
    const pieces = 500
    let made = 0
    source().onPull = (sink) => {
      if (made++ < pieces) sink.enqueue(piece)
      else sink.close()
    }
    source().onPull(source().sink ?? assert.fail())
    let seen = -1
    await eventually('the writer stalls', async () => {
      const isSame = seen === made
      seen = made
      return isSame
    })
    assert.ok(made < pieces, `${made} pieces for a client that reads nothing`)
    socket.resume()
    await shows('\r\n0\r\n\r\n')
    assert.equal(text().split('10000\r\n').length, pieces + 1)
    assert.equal(takings.join(), 'begun')
  })

  it('take a socket that is busy at first once it has drained', async () => {
    // More than the system's buffers hold.
    const piece = new Uint8Array(32 * 1024 * 1024)
    let isMade = false
    onFirstPull = (sink) => {
      if (!isMade) sink.enqueue(piece)
      isMade = true
    }
    const started = client(GET)
    started.socket.pause()
    await eventually('it was tried', async () => takings.length > 0)
    assert.deepEqual(takings, ['busy'])
    started.socket.resume()
    await started.shows('\0\r\n')
    started.source().sink?.enqueue(toBytes('later'))
    await started.shows('\r\nlater\r\n')
    await eventually('the socket is taken', async () => takings.join() === 'busy,begun')
    started.source().sink?.close()
    await started.shows('\r\nlater\r\n0\r\n\r\n')
    assert.ok(started.text().includes('\r\n2000000\r\n\0'))
  })

  it('close a client that does not take the end', async (context) => {
    const { socket, source, text } = await open()
    socket.pause()
    source().onPull = (sink) => sink.enqueue(new Uint8Array(64 * 1024))
    source().onPull(source().sink ?? assert.fail())
    let seen = -1
    await eventually('the writer stalls', async () => {
      const isSame = seen === source().pulls
      seen = source().pulls
      return isSame
    })
    context.mock.timers.enable({ apis: ['setTimeout'] })
    source().sink?.close()
    context.mock.timers.tick(9_999)
    const closed = new Promise((resolve) => socket.once('end', resolve))
    context.mock.timers.tick(1)
    context.mock.timers.reset()
    socket.resume()
    await closed
    assert.ok(!text().endsWith('\r\n0\r\n\r\n'), 'the end never arrived')
    assert.equal(source().cancels, 0)
  })

  it('break the connection where a stream fails', async () => {
    const { socket, source, text } = await open()
    const ended = new Promise((resolve) => socket.once('end', resolve))
    source().sink?.error(new Error('broken'))
    await ended
    assert.ok(text().endsWith(FIRST))
  })

  it('are closed with the server', async () => {
    const { socket, source } = await open()
    const ended = new Promise((resolve) => socket.once('end', resolve))
    sockets.destroyAll()
    await ended
    await eventually('the source learns of it', async () => source().cancels === 1)
  })

  it('let a server that closes forget nobody', async () => {
    const source = new Source(() => undefined)
    const handler = async (): Promise<Answer> => ({ status: 200, headers: {}, body: source })
    const running = await createNodePlatform().serve(handler, { host: '127.0.0.1', port: 0 })
    const socket = connect(Number(new URL(running.url).port), '127.0.0.1')
    const ended = new Promise((resolve) => socket.once('close', resolve))
    socket.write(GET)
    // The server has had its turns when the client reads.
    await new Promise((read) => socket.once('data', read))
    await running.close()
    await ended
    assert.equal(source.cancels, 1)
  })

  it('end a stream that ends while its socket is taken', async () => {
    const { shows, source } = client(GET)
    await eventually('the stream is there', async () => sources.length === 1)
    source().sink?.close()
    await shows(`${FIRST}0\r\n\r\n`)
  })

  const REFUSED = {
    'ends with the answer': GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    'is of HTTP/1.0': 'GET /stream HTTP/1.0\r\nHost: x\r\n\r\n',
    'has a part of the next request': `${GET}GET /pl`,
    'has a body of unknown length':
      'POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
  }
  for (const [why, request] of Object.entries(REFUSED)) {
    it(`leave a connection to node:http that ${why}`, async () => {
      const { source, text } = client(request)
      const tries = why === 'is of HTTP/1.0' ? 0 : 1
      await eventually('it was tried', async () => sources.length === 1 && takings.length >= tries)
      assert.ok(!takings.includes('begun'))
      source().sink?.enqueue(toBytes('later'))
      await eventually('it goes on', async () => text().includes('later'))
    })
  }

  it('take the socket of a request with a body', async () => {
    const { source, shows } = await open('POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
    source().sink?.enqueue(toBytes('later'))
    await shows('5\r\nlater\r\n')
  })
})
