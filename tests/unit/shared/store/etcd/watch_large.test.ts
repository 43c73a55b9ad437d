import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Store } from '#shared/store/store.ts'
import { within } from '../../../../support/waiting.ts'
import {
  events,
  HEADER,
  line,
  openStore,
  show,
  startFixture,
  type Fixture,
  type Reply,
} from './gateway_fixture.ts'

const KEY = toBytes('a')
const WATCH = '/v3/watch'
const CREATED = line({ header: { ...HEADER, revision: '4' }, created: true })
const TOO_LARGE = '{"error":{"grpc_code":8,"message":"grpc: received message larger than max (9 vs. 8)"}}\n'

const open: { close(): Promise<void> }[] = []
after(async () => {
  for (const one of open) await one.close()
})

type Stream = ReturnType<Reply['stream']>

/** What a watch asks for. */
interface Create {
  readonly fragment?: boolean
  readonly start_revision?: string
}

/** A server whose n-th watch is answered by `answer`. */
async function watchServer(
  answer: (stream: Stream, index: number, create: Create) => void,
): Promise<Fixture> {
  let watches = 0
  const server = await startFixture(({ path, body }, reply) => {
    if (path !== WATCH) return false
    const { create_request: create } = JSON.parse(body) as { create_request: Create }
    answer(reply.stream(), watches++, create)
    return true
  })
  open.push(server)
  return server
}

/** Reads the messages of a watch, until there are `count`. */
async function read({ url }: Fixture, count: number, onMessage?: (seen: number) => void): Promise<string[]> {
  const store: Store = await openStore([url])
  open.push(store)
  const said: string[] = []
  const messages = store.watch({ key: KEY, from: 5n })[Symbol.asyncIterator]()
  while (said.length < count) {
    const { value, done } = await within('a message', messages.next())
    assert.ok(done !== true)
    said.push(show(value))
    onMessage?.(said.length)
  }
  await messages.return?.()
  return said
}

describe('watchGateway() with large messages', () => {
  it('asks for fragments at first, and where a message is too large, until that message is complete', async () => {
    const asked: Create[] = []
    const server = await watchServer((stream, index, create) => {
      asked.push(create)
      stream.write(line({ header: { ...HEADER, revision: '11' }, created: true }))
      if (index === 0) stream.write(events([5, 6], { fragment: true }))
      // It breaks off within revision 7.
      if (index === 1) stream.write(events([6, 7], { fragment: true }) + TOO_LARGE)
      if (index === 2)
        stream.write(events([7]) + events([8, 9], { fragment: true }) + events([9]) + events([10]))
      if (index === 3) stream.write(events([10, 11]))
    })
    assert.deepEqual(await read(server, 8), [
      'created 11',
      '5:v5',
      '6:v6',
      '7:v7',
      '8:v8',
      '9:v9,v9',
      '10:v10',
      '11:v11',
    ])
    assert.deepEqual(
      asked.map(({ fragment, start_revision: start }) => [start, fragment]),
      [
        ['5', true],
        ['6', undefined],
        ['7', true],
        ['10', undefined],
      ],
    )
  })

  it('ends where a message is too large although it was cut', async () => {
    const server = await watchServer((stream, index) => {
      stream.write(CREATED + (index === 0 ? events([5], { fragment: true }) : TOO_LARGE))
    })
    await assert.rejects(read(server, 2), { code: 'ERR_STORE_PROTOCOL' })
    assert.equal(server.count(WATCH), 3)
  })

  it('yields the first events of a long line before the line has ended', async () => {
    const revisions = Array.from({ length: 20_000 }, (_, index) => index + 5)
    const last = revisions.length + 5
    const text = events(revisions)
    let writeRest: () => void = () => undefined
    const server = await watchServer((stream, index) => {
      if (index === 0) return stream.write(CREATED + events([5], { fragment: true }))
      stream.write(CREATED + text.slice(0, 1_000_000))
      writeRest = () => stream.write(text.slice(1_000_000) + events([last]))
    })
    const said = await read(server, revisions.length + 2, (seen) => {
      if (seen === 3) writeRest()
    })
    assert.deepEqual(
      said.slice(1),
      [...revisions, last].map((revision) => `${revision}:v${revision}`),
    )
  })
})
