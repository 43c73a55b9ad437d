/**
 * What the official 2.x client (pyaviso 2.4.2) does besides listening: every trigger, several listeners in one loop, the state file through a
 * restart of the service, publishing several, administration, and its asynchronous form.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { findClient, startClient, type Client } from './real_client.ts'

const client = await findClient('pyaviso2')
const EVERYTHING = fileURLToPath(new URL('everything.py', import.meta.url))

/** A request that a trigger made. */
interface Received {
  readonly method: string
  readonly path: string
  readonly type: string
  readonly from: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

/** A server that takes what triggers send; `/broken` answers with 500. */
async function startSink(): Promise<{
  readonly url: string
  readonly received: Received[]
  close(): Promise<void>
}> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const body = JSON.parse(Buffer.concat(pieces).toString()) as Received['body']
      const from = headers['x-from']
      received.push({
        method,
        path: url,
        type: headers['content-type'] ?? '',
        from: typeof from === 'string' ? from : undefined,
        body,
      })
      response.writeHead(url === '/broken' ? 500 : 200).end()
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    close: () => new Promise((closed) => server.close(() => closed())),
  }
}

async function publish({ url }: TestServer, number: string, payload: unknown = number): Promise<void> {
  const body = JSON.stringify({ event_type: 'flight', identifier: flight(number), payload })
  const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
  assert.equal(response.status, 200, await response.text())
}

describe('pyaviso 2.x, everything else', { skip: client.skip, timeout: 120_000 }, () => {
  let server: TestServer
  let sink: Awaited<ReturnType<typeof startSink>>

  before(async () => {
    server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    sink = await startSink()
    for (const number of ['a', 'b', 'c']) await publish(server, number, { is: number })
  })
  after(async () => {
    await server.stop()
    await sink.close()
  })

  function start(home: string, url: string, scenario: string, given: object): Client {
    return startClient(client.command('python'), [EVERYTHING, url, scenario, JSON.stringify(given)], { home })
  }

  /** What a scenario tells; other lines are those of triggers. */
  async function run(
    context: TestContext,
    scenario: string,
    given: object,
  ): Promise<{
    readonly told: readonly unknown[]
    readonly lines: readonly string[]
    readonly home: string
  }> {
    const home = await temporaryFolder(context)
    const running = start(home, server.url, scenario, { folder: home, ...given })
    const { lines } = await running.ended()
    assert.equal(lines.at(-1), 'end', lines.join('\n'))
    const told = lines.filter((line) => line.startsWith('["')).map((line) => JSON.parse(line) as unknown)
    return { told, lines, home }
  }

  const replay = { event_type: 'flight', mode: 'replay_only', start_from: 0, until: 3 }

  it('runs every kind of trigger', async (context) => {
    const { told, lines, home } = await run(context, 'triggers', { sink: sink.url, listen: replay })
    assert.deepEqual(told, [
      ['delivered', 1, { is: 'a' }],
      ['delivered', 2, { is: 'b' }],
      ['delivered', 3, { is: 'c' }],
      // The first call fails, and is repeated.
      ['called', [1, 1, 2, 3]],
    ])
    assert.equal(
      lines.filter((line) => line.startsWith('{"event_type":"flight"')).length,
      3,
      lines.join('\n'),
    )
    const logged = (await readFile(join(home, 'log.ndjson'), 'utf8')).trimEnd().split('\n')
    assert.equal(logged.length, 3)
    assert.equal(
      await readFile(join(home, 'command.txt'), 'utf8'),
      ['a', 'b', 'c'].map((is, index) => `flight ${index + 1} ${is} {"is":"${is}"} extra\n`).join(''),
    )
    const of = (path: string): Received[] => sink.received.filter((each) => each.path === path)
    assert.deepEqual(
      of('/webhook').map(({ method, from, body }) => ({ method, from, body })),
      ['a', 'b', 'c'].map((place, index) => ({
        method: 'PUT',
        from: 'aviso',
        body: { id: index + 1, place },
      })),
    )
    assert.equal(of('/teams').length, 3)
    assert.match(JSON.stringify(of('/teams')[0]?.body), /AdaptiveCard/)
    assert.deepEqual(
      of('/post').map(({ type, body }) => [type.split(';')[0], body['id']]),
      [1, 2, 3].map((number) => ['application/cloudevents+json', `flight@${number}`]),
    )
    assert.equal(of('/broken').length, 3, 'a trigger that is not required may fail')
  })

  it('listens to several at once, and leaves out one that fails', async (context) => {
    const { told } = await run(context, 'many', {
      listeners: {
        all: replay,
        one: { ...replay, filter: { number: 'b' } },
        wrong: { ...replay, filter: { nope: 1 } },
      },
    })
    assert.deepEqual(told, [
      // The request begins behind 1, the last that it has seen.
      ['got', { all: [1, 2, 3], one: [2], request: [2, 3] }],
      ['errors', [['wrong', 'HttpError']]],
    ])
  })

  it('publishes several, reads schemas, deletes and wipes', async (context) => {
    const own = await startServer({ arguments: ['--store', 'embedded:memory'] })
    try {
      const home = await temporaryFolder(context)
      const event = (number: string): object => ({
        event_type: 'flight',
        identifier: flight(number),
        payload: number,
      })
      const notifications = [event('a'), event('b'), { event_type: 'flight', identifier: {} }, event('c')]
      const { lines } = await start(home, own.url, 'operate', { notifications }).ended()
      assert.deepEqual(
        lines.slice(0, -1).map((line) => JSON.parse(line) as unknown),
        [
          [
            'notified',
            [0, 1, 2, 3].map((index) => [index, index !== 2, index === 2 ? 'HttpError' : 'NoneType']),
          ],
          ['types', ['dissemination', 'flight', 'mars'], false],
          ['before', [1, 2, 3]],
          ['deleted', [2, 3]],
          ['error', 'HttpError', 404],
          ['wiped', []],
        ],
        lines.join('\n'),
      )
      assert.equal(lines.at(-1), 'end', lines.join('\n'))
    } finally {
      await own.stop()
    }
  })

  it('listens asynchronously', async (context) => {
    const notification = { event_type: 'mars', identifier: MARS, payload: [1, { a: null }] }
    const listen = { event_type: 'mars', mode: 'replay_only', start_from: 0, filter: MARS }
    const { told } = await run(context, 'async', { notification, listen })
    assert.deepEqual(told, [
      ['notified', 'success'],
      ['delivered', 1, [1, { a: null }]],
      ['called', [1]],
    ])
  })

  it('goes on from its state file, through a restart of the service in the middle', async (context) => {
    const [home, data] = [await temporaryFolder(context), await temporaryFolder(context)]
    const open = (port: number): Promise<TestServer> =>
      startServer({ port, arguments: ['--store', 'embedded:', '--data', join(data, 'd')] })
    let own = await open(0)
    const { url } = own
    const given = { file: join(home, 'state.json'), listen: { event_type: 'flight' } }
    // A start that is given counts more than the file.
    const begin = { ...given, listen: { ...given.listen, start_from: 0 } }
    try {
      for (const number of ['a', 'b', 'c']) await publish(own, number)
      const first = await start(home, url, 'state', { ...begin, count: 2 }).ended()
      assert.deepEqual(first.lines, ['["delivered", 1]', '["delivered", 2]', 'end'])
      const second = start(home, url, 'state', { ...given, count: 4 })
      await second.line('["delivered", 3]')
      await own.stop('SIGKILL')
      own = await open(Number(new URL(url).port))
      for (const number of ['d', 'e', 'f']) await publish(own, number)
      const { lines } = await second.ended()
      assert.deepEqual(lines, [3, 4, 5, 6].map((number) => `["delivered", ${number}]`).concat('end'))
      await publish(own, 'g')
      const third = await start(home, url, 'state', { ...given, count: 1 }).ended()
      assert.deepEqual(third.lines, ['["delivered", 7]', 'end'])
    } finally {
      await own.stop()
    }
  })
})

const MARS = {
  class: 'od',
  date: '20260810',
  domain: 'g',
  expver: '0001',
  step: '1',
  stream: 'oper',
  time: '00',
}
