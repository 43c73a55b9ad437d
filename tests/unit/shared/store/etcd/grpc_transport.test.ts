import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createGrpcTransport } from '#shared/store/etcd/grpc_transport.ts'
import { frameMessage } from '#shared/store/etcd/grpc_frames.ts'
import { messageType } from '#shared/store/etcd/protobuf.ts'
import { METHODS } from '#shared/store/etcd/grpc_messages.ts'
import type { Exchange, MessageStream, Outcome, Transport } from '#shared/store/etcd/transport.ts'
import type { WireObject } from '#shared/store/etcd/wire.ts'
import { systemClock } from '#shared/time/clock.ts'
import { startRawHttp2, type RawConnection, type RawHandler } from '../../../../support/raw_http2.ts'
import { eventually, within } from '../../../../support/waiting.ts'

/** Codes of HTTP/2. */
const [NO_ERROR, INTERNAL, REFUSED_STREAM, CANCEL] = [0, 2, 7, 8]
const GRPC_HEAD = { ':status': '200', 'content-type': 'application/grpc' }
const RANGE = METHODS['/v3/kv/range']
assert.ok(RANGE !== undefined)
const ANSWER = frameMessage(RANGE.response, { header: { revision: '7' }, count: '0' })
/** What a stream may hold back. */
const WINDOW_BYTES = 1024 * 1024
/** Long enough for any answer of this machine. */
const LIMIT_MS = 5_000
/** Short enough to wait for. */
const SHORT_MS = 50

const { connectHttp2 } = await detectPlatform()
assert.ok(connectHttp2 !== undefined)
const connect = connectHttp2

interface Opened {
  readonly transport: Transport
  readonly url: string
  ask(more?: Partial<Exchange>): Promise<Outcome<WireObject>>
  readonly connections: () => number
}

async function open(context: TestContext | undefined, handler: RawHandler): Promise<Opened> {
  const server = await startRawHttp2(handler)
  const transport = createGrpcTransport({ connect, clock: systemClock })
  context?.after(async () => {
    transport.close()
    await server.close()
  })
  return {
    transport,
    url: server.url,
    ask: (more) => transport.ask({ ...question(server.url), ...more }),
    connections: () => server.connections,
  }
}

function question(endpoint: string): Exchange {
  return {
    endpoint,
    path: '/v3/kv/range',
    message: { key: toBytes('k') },
    token: undefined,
    limitMs: LIMIT_MS,
    signals: [],
  }
}

/** Answers as a healthy member. */
function succeed(connection: RawConnection, stream: number): void {
  connection.headers(stream, GRPC_HEAD)
  connection.data(stream, ANSWER)
  connection.headers(stream, { 'grpc-status': '0' }, true)
}

function kindAndCode(outcome: Outcome<unknown>): string {
  return outcome.kind === 'done' ? 'done' : `${outcome.kind} ${outcome.error.code}`
}

describe('createGrpcTransport().ask()', () => {
  it('reads an answer, over one connection for all calls', async (context) => {
    const { ask, connections } = await open(context, { onRequest: succeed })
    const outcomes = await Promise.all([ask(), ask(), ask()])
    for (const outcome of outcomes)
      assert.deepEqual(outcome, { kind: 'done', value: { header: { revision: 7n }, count: 0n } })
    assert.equal(connections(), 1)
  })

  it('reads an answer that comes in pieces of one byte', async (context) => {
    const { ask } = await open(context, {
      onRequest: (connection, stream) => {
        connection.headers(stream, GRPC_HEAD)
        for (const byte of ANSWER) connection.data(stream, Uint8Array.of(byte))
        connection.headers(stream, { 'grpc-status': '0' }, true)
      },
    })
    assert.equal((await ask()).kind, 'done')
  })

  /** Outcomes by what becomes of the stream. */
  const endings: readonly (readonly [name: string, expected: string, onRequest: RawHandler['onRequest']])[] =
    [
      [
        'an error of etcd in trailers without a body',
        'refused ERR_INVALID_RANGE',
        ({ headers }, stream) =>
          headers(
            stream,
            { ...GRPC_HEAD, 'grpc-status': '3', 'grpc-message': 'etcdserver: key is not%20provided' },
            true,
          ),
      ],
      [
        'no leader: nothing was proposed',
        'not_done ERR_STORE_UNAVAILABLE',
        ({ headers }, stream) =>
          headers(
            stream,
            { ...GRPC_HEAD, 'grpc-status': '14', 'grpc-message': 'etcdserver: no leader' },
            true,
          ),
      ],
      [
        'a timeout at the member',
        'unknown ERR_STORE_UNAVAILABLE',
        ({ headers }, stream) =>
          headers(
            stream,
            { ...GRPC_HEAD, 'grpc-status': '14', 'grpc-message': 'etcdserver: request timed out' },
            true,
          ),
      ],
      [
        'REFUSED_STREAM',
        'not_done ERR_STORE_UNAVAILABLE',
        ({ reset }, stream) => reset(stream, REFUSED_STREAM),
      ],
      ['another reset', 'unknown ERR_STORE_UNAVAILABLE', ({ reset }, stream) => reset(stream, INTERNAL)],
      ['a reset with CANCEL', 'unknown ERR_STORE_UNAVAILABLE', ({ reset }, stream) => reset(stream, CANCEL)],
      [
        'REFUSED_STREAM after the answer has begun',
        'unknown ERR_STORE_UNAVAILABLE',
        ({ headers, reset }, stream) => {
          headers(stream, GRPC_HEAD)
          reset(stream, REFUSED_STREAM)
        },
      ],
      [
        'GOAWAY before this stream',
        'not_done ERR_STORE_UNAVAILABLE',
        ({ goaway }, stream) => goaway(stream - 1, NO_ERROR),
      ],
      [
        'GOAWAY with an error before this stream',
        'not_done ERR_STORE_UNAVAILABLE',
        ({ goaway }, stream) => goaway(stream - 1, INTERNAL),
      ],
      [
        'GOAWAY with an error that counts this stream in',
        'unknown ERR_STORE_UNAVAILABLE',
        ({ goaway }, stream) => goaway(stream, INTERNAL),
      ],
      ['a lost connection', 'unknown ERR_STORE_UNAVAILABLE', ({ socket }) => socket.destroy()],
      ['a connection that is ended', 'unknown ERR_STORE_UNAVAILABLE', ({ socket }) => socket.end()],
      [
        'an end without a status',
        'unknown ERR_STORE_UNAVAILABLE',
        ({ headers, data }, stream) => {
          headers(stream, GRPC_HEAD)
          data(stream, ANSWER)
          headers(stream, { 'x-other': '1' }, true)
        },
      ],
      [
        'success without a message',
        'unknown ERR_STORE_PROTOCOL',
        ({ headers }, stream) => headers(stream, { ...GRPC_HEAD, 'grpc-status': '0' }, true),
      ],
      [
        'success with a message that is none',
        'unknown ERR_STORE_PROTOCOL',
        ({ headers, data }, stream) => {
          headers(stream, GRPC_HEAD)
          data(stream, Uint8Array.of(0, 0, 0, 0, 1, 0xff))
          headers(stream, { 'grpc-status': '0' }, true)
        },
      ],
      [
        'a compressed message',
        'unknown ERR_STORE_PROTOCOL',
        ({ headers, data }, stream) => {
          headers(stream, GRPC_HEAD)
          data(stream, Uint8Array.of(1, 0, 0, 0, 1, 0))
        },
      ],
      [
        'a message that is too large',
        'unknown ERR_STORE_PROTOCOL',
        ({ headers, data }, stream) => {
          headers(stream, GRPC_HEAD)
          data(stream, Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff))
        },
      ],
      [
        'a page of 404',
        'not_done ERR_STORE_PROTOCOL',
        ({ headers }, stream) => headers(stream, { ':status': '404', 'content-type': 'text/html' }, true),
      ],
      [
        'a page of 502',
        'unknown ERR_STORE_PROTOCOL',
        ({ headers }, stream) => headers(stream, { ':status': '502', 'content-type': 'text/html' }, true),
      ],
    ]
  for (const [name, expected, onRequest] of endings)
    it(`judges ${name}`, async (context) => {
      const { ask } = await open(context, { onRequest })
      assert.equal(kindAndCode(await ask()), expected)
    })

  it('goes on over another connection after GOAWAY, and leaves what runs alone', async (context) => {
    let first: (() => void) | undefined
    const { ask, connections } = await open(context, {
      onRequest: (connection, stream, count) => {
        if (first !== undefined) return succeed(connection, stream)
        if (count === 1) return
        connection.goaway(1, NO_ERROR)
        first = () => succeed(connection, 1)
      },
    })
    const running = ask()
    assert.equal(kindAndCode(await ask()), 'not_done ERR_STORE_UNAVAILABLE')
    assert.equal((await ask()).kind, 'done')
    assert.equal(connections(), 2)
    first?.()
    assert.equal((await running).kind, 'done')
  })

  it('says that nothing was sent where there is no connection, or no HTTP/2', async (context) => {
    const { ask } = await open(context, {
      onRequest: ({ socket }) => socket.write('HTTP/1.1 400 Bad\r\n\r\n'),
    })
    assert.equal((await ask()).kind, 'unknown')
    const transport = createGrpcTransport({ connect, clock: systemClock })
    context.after(() => transport.close())
    const closed = await startRawHttp2({ onRequest: succeed })
    await closed.close()
    assert.equal(kindAndCode(await transport.ask(question(closed.url))), 'not_done ERR_STORE_UNAVAILABLE')
  })

  it('gives up in time, resets the stream, and takes another connection', async (context) => {
    const resets: number[] = []
    let isSilent = true
    const { ask, connections } = await open(context, {
      onRequest: (connection, stream) => {
        if (!isSilent) succeed(connection, stream)
      },
      onReset: (_stream, code) => resets.push(code),
    })
    const outcome = await ask({ limitMs: SHORT_MS })
    assert.equal(kindAndCode(outcome), 'unknown ERR_STORE_UNAVAILABLE')
    assert.ok(outcome.kind === 'unknown' && outcome.silent === true)
    isSilent = false
    assert.equal((await ask()).kind, 'done')
    assert.equal(connections(), 2)
    await eventually('a reset', () => resets.includes(CANCEL))
  })

  it('waits on while the member works, and gives up when it does not', async (context) => {
    const waiting: (() => void)[] = []
    const { ask, connections } = await open(context, {
      onRequest: (connection, stream) => waiting.push(() => succeed(connection, stream)),
    })
    const asked: number[] = []
    const patience = (works: number) => ({
      longestMs: LIMIT_MS,
      isWorking: async () => asked.push(works) <= works,
    })
    const slow = ask({ limitMs: SHORT_MS, patience: patience(100) })
    await eventually('it is asked again and again', () => asked.length >= 3)
    waiting[0]?.()
    assert.equal((await slow).kind, 'done')
    asked.length = 0
    const cut = await ask({ limitMs: SHORT_MS, patience: patience(1) })
    assert.ok(cut.kind === 'unknown' && cut.silent === true)
    assert.equal(asked.length, 2)
    asked.length = 0
    const short = await ask({ limitMs: SHORT_MS, patience: { ...patience(100), longestMs: SHORT_MS } })
    assert.ok(short.kind === 'unknown' && short.silent === true)
    assert.deepEqual([asked.length, connections()], [0, 2])
  })

  it('ends what runs on a connection whose other side does not even answer pings', async (context) => {
    const { ask } = await open(context, { onRequest: () => undefined, answersPings: false })
    const running = ask()
    assert.equal((await ask({ limitMs: SHORT_MS })).kind, 'unknown')
    const outcome = await within('the end', running)
    assert.ok(outcome.kind === 'unknown' && outcome.silent !== true)
  })

  it('stops when a signal aborts: before it is sent nothing was done, later it may have been', async (context) => {
    const resets: number[] = []
    let arrived: (() => void) | undefined
    const arrival = new Promise<void>((done) => (arrived = done))
    const { ask } = await open(context, {
      onRequest: () => arrived?.(),
      onReset: (stream) => resets.push(stream),
    })
    const before = AbortSignal.abort()
    assert.equal((await ask({ signals: [before] })).kind, 'not_done')
    const later = new AbortController()
    const running = ask({ signals: [undefined, later.signal] })
    await arrival
    later.abort()
    assert.equal((await running).kind, 'unknown')
    await eventually('a reset', () => resets.includes(1))
  })

  it('ends everything when it is closed', async (context) => {
    let arrived: (() => void) | undefined
    const arrival = new Promise<void>((done) => (arrived = done))
    const { ask, transport } = await open(context, { onRequest: () => arrived?.() })
    const running = ask()
    await arrival
    transport.close()
    assert.equal((await running).kind, 'unknown')
    assert.equal((await ask()).kind, 'not_done')
  })
})

describe('createGrpcTransport().open()', () => {
  const EVENT = messageType({ created: [3, 'flag'], revision: [99, 'integer'], filler: [100, 'bytes'] })
  const message = (more: object = {}): Uint8Array => frameMessage(EVENT, { created: true, ...more })

  async function openWatch({ transport, url }: Opened, signal: AbortSignal): Promise<MessageStream> {
    const request = { endpoint: url, message: { create_request: { key: toBytes('k') } }, token: 't', signal }
    const outcome = await transport.open(request)
    assert.ok(outcome.kind === 'done')
    return outcome.value
  }
  const never = new AbortController().signal

  it('passes messages on, then the error of etcd, then the end', async (context) => {
    const opened = await open(context, {
      onRequest: (connection, stream) => {
        connection.headers(stream, GRPC_HEAD)
        connection.data(stream, message())
        const end = { 'grpc-status': '14', 'grpc-message': 'etcdserver: no leader' }
        connection.headers(stream, end, true)
      },
    })
    const stream = await openWatch(opened, never)
    assert.deepEqual(await stream.next(), [{ result: { created: true } }])
    assert.deepEqual(await stream.next(), [{ error: { code: 14, message: 'etcdserver: no leader' } }])
    assert.equal(await stream.next(), undefined)
  })

  it('tells of a message that is too large, after those before it', async (context) => {
    const opened = await open(context, {
      onRequest: (connection, stream) => {
        connection.headers(stream, GRPC_HEAD)
        connection.data(stream, message())
        connection.data(stream, Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff))
      },
    })
    const stream = await openWatch(opened, never)
    assert.deepEqual(await stream.next(), [{ result: { created: true } }])
    const [last] = (await stream.next()) ?? []
    assert.match(JSON.stringify(last), /larger than max/)
    assert.equal(await stream.next(), undefined)
  })

  it('throws where the connection breaks, and where a page answers', async (context) => {
    const broken = await open(context, { onRequest: ({ socket }) => socket.destroy() })
    await assert.rejects((await openWatch(broken, never)).next(), { code: 'ERR_STORE_UNAVAILABLE' })
    const page = await open(context, {
      onRequest: ({ headers }, stream) => headers(stream, { ':status': '404' }, true),
    })
    await assert.rejects((await openWatch(page, never)).next(), { code: 'ERR_STORE_PROTOCOL' })
  })

  it('resets the stream when it is cancelled, by a signal too, and a waiting reader ends', async (context) => {
    // Bun 1.4 sometimes sends one twice.
    const resets = new Map<number, number>()
    const opened = await open(context, {
      onRequest: ({ headers }, stream) => headers(stream, GRPC_HEAD),
      onReset: (stream, code) => resets.set(stream, code),
    })
    const stop = new AbortController()
    const streams = [await openWatch(opened, never), await openWatch(opened, stop.signal)] as const
    const ends = streams.map((stream) => stream.next())
    streams[0].cancel()
    stop.abort()
    assert.deepEqual(await within('the ends', Promise.all(ends)), [undefined, undefined])
    await eventually('resets', () => resets.size === 2)
    assert.deepEqual([...resets.values()], [CANCEL, CANCEL])
  })

  it('does not take everything ahead of a reader that is slow, and loses nothing of it', async (context) => {
    const count = 100
    const whole = message({ filler: new Uint8Array(60_000) })
    // What the client grants at its start is checked by its use.
    let room = WINDOW_BYTES
    let sent = 0
    let sendMore = (): void => undefined
    const opened = await open(context, {
      onRequest: (connection, stream, requests) => {
        if (requests > 1) return succeed(connection, stream)
        connection.headers(stream, GRPC_HEAD)
        sendMore = () => {
          for (; sent < count && room >= whole.length; sent++, room -= whole.length)
            connection.data(stream, whole)
        }
        sendMore()
      },
      onRoom: (stream, bytes) => {
        if (stream === 1) room += bytes
        sendMore()
      },
    })
    const stream = await openWatch(opened, never)
    await eventually('the room to be used', () => room < whole.length)
    // Each answer is behind everything that could be sent before it.
    for (let round = 0; round < 20; round++) assert.equal((await opened.ask()).kind, 'done')
    assert.ok(sent * whole.length < 2 * WINDOW_BYTES, `${sent} messages were taken ahead`)
    let seen = 0
    while (seen < count) seen += (await within('messages', stream.next()))?.length ?? count
    assert.equal(seen, count)
    stream.cancel()
  })
})
