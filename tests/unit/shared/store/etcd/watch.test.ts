import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Store, WatchRequest } from '#shared/store/store.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { createManualClock, createSkippingClock, type ManualClock } from '../../../../support/clock.ts'
import { rejects } from '../../../../contract/store_support.ts'
import {
  events,
  HEADER,
  line,
  openStore,
  show,
  startFixture,
  type Fixture,
  type Received,
  type Reply,
} from './gateway_fixture.ts'
import { eventually, within } from '../../../../support/waiting.ts'

const key = toBytes('a')
const WATCH = '/v3/watch'
const CREATED = line({ header: HEADER, created: true })

const open: { close(): Promise<void> }[] = []
after(async () => {
  for (const one of open) await one.close()
})

type Stream = ReturnType<Reply['stream']>

/** A server whose n-th watch is answered by `answer`. */
async function watchServer(
  answer: (stream: Stream, index: number, received: Received) => void,
): Promise<Fixture> {
  let watches = 0
  const server = await startFixture((received, reply) => {
    if (received.path !== WATCH) return false
    answer(reply.stream(), watches++, received)
    return true
  })
  open.push(server)
  return server
}

/** A store in real time, for what does not wait. */
async function storeInRealTime(...servers: readonly Fixture[]): Promise<Store> {
  return openOver(servers, systemClock)
}

/**
 * Waits while the clock goes on. It stands still while a limit on waiting runs, because then a member is asked something: no answer may come
 * too late, however busy the machine is. Only the timer that looks for silence runs without one.
 */
async function whileTimePasses<Value>(clock: ManualClock, pending: Promise<Value>): Promise<Value> {
  let isOver = false
  const finish = (): void => {
    isOver = true
  }
  pending.then(finish, finish)
  while (!isOver) {
    if (clock.intervals > 0 && clock.timers === clock.intervals) await clock.advance(500)
    else await new Promise((next) => setTimeout(next, 1))
  }
  return pending
}

async function openOver(servers: readonly Fixture[], clock: Clock): Promise<Store> {
  const store = await openStore(
    servers.map(({ url }) => url),
    { clock },
  )
  open.push(store)
  return store
}

/** Reads a watch to its end, and tells what it said and how it ended. */
async function read(store: Store, request: Partial<WatchRequest> = {}): Promise<string[]> {
  const said: string[] = []
  try {
    await within(
      'the end of the watch',
      (async () => {
        for await (const message of store.watch({ key, from: 5n, ...request })) said.push(show(message))
      })(),
    )
    said.push('end')
  } catch (error) {
    said.push((error as { code: string }).code)
  }
  return said
}

/** Takes some messages, then leaves. */
async function take(store: Store, count: number, request: Partial<WatchRequest> = {}): Promise<string[]> {
  const said: string[] = []
  await within(
    'watch messages',
    (async () => {
      for await (const message of store.watch({ key, from: 5n, ...request })) {
        if (said.push(show(message)) === count) return
      }
    })(),
  )
  return said
}

describe('watchGateway() at the beginning', () => {
  it('takes a creation that is canceled for a refusal', async () => {
    const cases = [
      ['etcdserver: permission denied', 'ERR_STORE_UNAVAILABLE'],
      ['etcdserver: mvcc: required revision has been compacted', 'ERR_HISTORY_COMPACTED'],
      ['mvcc: watcher range is empty', 'ERR_INVALID_RANGE'],
    ] as const
    for (const [reason, code] of cases) {
      const server = await watchServer((stream) =>
        stream.write(
          line({ header: HEADER, watch_id: '-1', created: true, canceled: true, cancel_reason: reason }),
        ),
      )
      assert.deepEqual(await read(await storeInRealTime(server)), [code])
      assert.equal(server.count(WATCH), 1)
    }
  })

  it('goes on with the next member where the watch is not created in time', async () => {
    const silent = await watchServer(() => undefined)
    const refusing = await startFixture(({ path }, reply) => {
      if (path !== WATCH) return false
      return reply.json(503, { error: 'etcdserver: no leader', code: 14 })
    })
    open.push(refusing)
    const good = await watchServer((stream) => stream.write(CREATED + events([5])))
    const clock = createSkippingClock()
    const taking = take(await openOver([silent, refusing, good], clock), 2)
    await eventually('the first member is asked', () => silent.count(WATCH) === 1)
    await clock.advance(3_000)
    assert.deepEqual(await taking, ['created 7', '5:v5'])
  })

  it('asks a member where it is before it begins now', async () => {
    const server = await watchServer((stream) => stream.write(CREATED + events([8])))
    const store = await storeInRealTime(server)
    const said: string[] = []
    for await (const message of store.watch({ key })) if (said.push(show(message)) === 2) break
    assert.deepEqual(said, ['created 7', '8:v8'])
    assert.deepEqual(
      server.received.map(({ path }) => path),
      ['/v3/kv/range', WATCH],
    )
  })

  it('refuses a member of another cluster', async () => {
    const server = await watchServer((stream) =>
      stream.write(line({ header: { ...HEADER, cluster_id: '5' }, created: true })),
    )
    const store = await openOver([server], createSkippingClock())
    await store.range({ key })
    assert.deepEqual(await read(store), ['ERR_STORE_PROTOCOL'])
  })
})

describe('watchGateway() on the way', () => {
  it('puts together what arrives in single bytes', async () => {
    const text = CREATED + events([5, 6]) + line({ header: { ...HEADER, revision: '9' } }) + events([10])
    const server = await watchServer((stream) => {
      void (async () => {
        for (const byte of toBytes(text)) {
          stream.write(Uint8Array.of(byte))
          await new Promise((done) => setImmediate(done))
        }
      })()
    })
    assert.deepEqual(await take(await storeInRealTime(server), 5), [
      'created 7',
      '5:v5',
      '6:v6',
      'progress 9',
      '10:v10',
    ])
  })

  it('yields a revision of several fragments as one', async () => {
    const server = await watchServer((stream, index) => {
      stream.write(CREATED + events([5, 6].slice(0, index + 1), { fragment: true }))
      if (index > 0) stream.write(events([6], { fragment: true }) + events([6, 7]))
    })
    assert.deepEqual(await take(await storeInRealTime(server), 4), [
      'created 7',
      '5:v5',
      '6:v6,v6,v6',
      '7:v7',
    ])
  })

  it('yields nothing of a revision whose rest does not come', async () => {
    const server = await watchServer((stream, index) => {
      stream.write(CREATED + events(index === 0 ? [5, 6] : [6], { fragment: true }))
      if (index > 0) stream.end()
    })
    assert.deepEqual(await read(await storeInRealTime(server)), [
      'created 7',
      '5:v5',
      'ERR_STORE_UNAVAILABLE',
    ])
  })

  it('reads a line of 11 MB', async () => {
    const value = 'x'.repeat(8_250_000)
    const kv = { key: 'YQ==', value: encodeBase64(toBytes(value)), mod_revision: '5' }
    const text = line({ header: HEADER, events: [{ kv }] })
    assert.ok(text.length > 11_000_000)
    const server = await watchServer((stream) => {
      stream.write(CREATED)
      stream.write(text)
    })
    const [, revision] = await take(await storeInRealTime(server), 2)
    assert.equal(revision?.length, value.length + 2)
  })

  it('ends at an error in the stream, terminated or not, in every shape', async () => {
    const texts = [
      '{"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader","http_status":"Service Unavailable"}}',
      '{"error":{"code":14,"message":"etcdserver: no leader"}}\n',
      '{"error":{"grpc_code":14,"message":"transport is closing"}}',
    ]
    for (const text of texts) {
      const server = await watchServer((stream) => {
        stream.write(CREATED + events([5]) + text)
        stream.end()
      })
      assert.deepEqual(await read(await storeInRealTime(server)), [
        'created 7',
        '5:v5',
        'ERR_STORE_UNAVAILABLE',
      ])
    }
  })

  it('ends at the end of the stream, and where the connection breaks', async () => {
    const ended = await watchServer((stream) => {
      stream.write(CREATED)
      stream.end()
    })
    assert.deepEqual(await read(await storeInRealTime(ended)), ['created 7', 'ERR_STORE_UNAVAILABLE'])
    const broken = await startFixture(({ path }, reply) => {
      if (path !== WATCH) return false
      reply.stream().write(`${CREATED}${events([5])}{"result":{"hea`)
      setTimeout(() => reply.reset(), 50)
      return true
    })
    open.push(broken)
    assert.deepEqual(await read(await storeInRealTime(broken)), [
      'created 7',
      '5:v5',
      'ERR_STORE_UNAVAILABLE',
    ])
  })

  it('ends at something else than a message', async () => {
    const server = await watchServer((stream) => stream.write(`${CREATED}<html>\n`))
    assert.deepEqual(await read(await storeInRealTime(server)), ['created 7', 'ERR_STORE_PROTOCOL'])
  })

  it('ends at a revision that comes again', async () => {
    const server = await watchServer((stream) => stream.write(CREATED + events([5, 6]) + events([6])))
    assert.deepEqual(await read(await storeInRealTime(server)), [
      'created 7',
      '5:v5',
      '6:v6',
      'ERR_STORE_PROTOCOL',
    ])
  })

  it('says where history begins when compaction overtakes it', async () => {
    const server = await watchServer((stream) =>
      stream.write(CREATED + events([5]) + line({ header: {}, canceled: true, compact_revision: '22' })),
    )
    const store = await storeInRealTime(server)
    const seen: string[] = []
    await assert.rejects(
      async () => {
        for await (const message of store.watch({ key, from: 5n })) seen.push(show(message))
      },
      { code: 'ERR_HISTORY_COMPACTED', details: { oldest_revision: '22' } },
    )
    assert.deepEqual(seen, ['created 7', '5:v5'])
  })
})

describe('watchGateway() in silence', () => {
  it('ends when the member does not answer any more', async () => {
    let silent = false
    const server = await startFixture(({ path }, reply) => {
      if (path === WATCH) {
        reply.stream().write(CREATED)
        silent = true
        return true
      }
      return silent
    })
    open.push(server)
    const clock = createManualClock()
    const reading = read(await openOver([server], clock))
    await eventually('the watch is read', () => clock.intervals === 1 && clock.timers === 1)
    await clock.advance(2_000)
    await eventually('the member is asked', () => server.count('/v3/kv/range') === 1)
    await clock.advance(2_000)
    assert.deepEqual(await reading, ['created 7', 'ERR_STORE_UNAVAILABLE'])
    assert.equal(server.count('/v3/kv/range'), 1)
  })

  it('ends when the member has no leader any more', async () => {
    let stood = false
    const server = await startFixture(({ path }, reply) => {
      if (path === WATCH) {
        reply.stream().write(CREATED)
        stood = true
        return true
      }
      if (!stood) return false
      return reply.json(503, { code: 14, message: 'etcdserver: no leader' })
    })
    open.push(server)
    const clock = createManualClock()
    const reading = read(await openOver([server], clock))
    assert.deepEqual(await whileTimePasses(clock, reading), ['created 7', 'ERR_STORE_UNAVAILABLE'])
  })

  it('goes on over another connection where the member lives but says nothing', async () => {
    const server = await watchServer((stream, index) => {
      if (index === 0) stream.write(CREATED + events([5, 6]))
      else if (index === 1) stream.write(CREATED + events([7]))
    })
    const clock = createManualClock()
    const taking = take(await openOver([server], clock), 4)
    assert.deepEqual(await whileTimePasses(clock, taking), ['created 7', '5:v5', '6:v6', '7:v7'])
    const [first, second] = server.received
      .filter(({ path }) => path === WATCH)
      .map(({ body }) => startOf(body))
    assert.deepEqual([first, second], ['5', '7'])
    // Every 2 s of 30 s.
    assert.ok(server.count('/v3/kv/range') >= 8)
  })

  it('does not go on over another connection with a member that is behind', async () => {
    const server = await watchServer((stream, index) => {
      if (index === 0) stream.write(CREATED + line({ header: { ...HEADER, revision: '20' } }))
      else stream.write(CREATED)
    })
    const clock = createManualClock()
    const reading = read(await openOver([server], clock))
    assert.deepEqual(await whileTimePasses(clock, reading), [
      'created 7',
      'progress 20',
      'ERR_STORE_UNAVAILABLE',
    ])
  })

  it('is patient while there is progress', async () => {
    const streams: Stream[] = []
    const server = await watchServer((stream) => {
      streams.push(stream)
      stream.write(CREATED)
    })
    const clock = createManualClock()
    const store = await openOver([server], clock)
    let newest = 7
    for await (const message of store.watch({ key, from: 5n })) {
      assert.equal(message.revision, BigInt(newest))
      if (newest === 66) break
      const revision = `${++newest}`
      // Once the message is taken, and the next one is waited for.
      void eventually('the next message is waited for', () => clock.timers === 1)
        .then(() => clock.advance(1_500))
        .then(() => streams[0]?.write(line({ header: { ...HEADER, revision } })))
    }
    assert.deepEqual([server.count(WATCH), server.count('/v3/kv/range')], [1, 0])
  })
})

describe('watchGateway() left', () => {
  it('closes the connection, at once and in every way', async () => {
    const closed: Promise<void>[] = []
    const server = await watchServer((stream) => {
      closed.push(stream.closed)
      stream.write(CREATED)
    })
    const store = await storeInRealTime(server)
    assert.deepEqual(await take(store, 1), ['created 7'])

    const iterator = store.watch({ key, from: 5n })[Symbol.asyncIterator]()
    await iterator.next()
    const pending = iterator.next()
    await within('return()', Promise.resolve(iterator.return?.()))
    assert.equal((await pending).done, true)

    const stop = new AbortController()
    const stopped = store.watch({ key, from: 5n, signal: stop.signal })[Symbol.asyncIterator]()
    await stopped.next()
    stop.abort()
    assert.equal((await within('the end', stopped.next())).done, true)

    const last = store.watch({ key, from: 5n })[Symbol.asyncIterator]()
    await last.next()
    const ending = rejects(last.next(), 'ERR_STORE_UNAVAILABLE')
    await store.close()
    await ending
    assert.equal(closed.length, 4)
    await within('four closed connections', Promise.all(closed))
  })

  it('opens nothing where the signal has aborted already', async () => {
    const server = await watchServer(() => undefined)
    const store = await storeInRealTime(server)
    assert.deepEqual(await read(store, { signal: AbortSignal.abort() }), ['end'])
    assert.equal(server.received.length, 0)
  })
})

function startOf(body: string): string | undefined {
  return (JSON.parse(body) as { create_request: { start_revision?: string } }).create_request.start_revision
}
