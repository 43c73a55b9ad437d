/**
 * The official 2.x client (pyaviso 2.4.2) against our services, over real sockets.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { detectPlatform } from '#shared/runtime/detect.ts'
import { withSystem, type TestSystem } from '../service/auth_fixture.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { findClient, startClient, type Client } from './real_client.ts'
import { eventually } from '../support/waiting.ts'
import { flight } from '../support/notifications.ts'

const client = await findClient('pyaviso2')
const LISTEN = fileURLToPath(new URL('listen.py', import.meta.url))

/** A system on a socket, and the client at its door. */
interface Door {
  readonly test: TestSystem
  listen(keywords: object): Client
  /** What a listener with an end prints. */
  listenToEnd(keywords: object): Promise<readonly string[]>
  cli(...argv: readonly string[]): Client
}

function withDoor(
  context: TestContext,
  use: (door: Door) => Promise<void>,
  vars: Readonly<Record<string, number>> = {},
): Promise<void> {
  return withSystem(
    async (test) => {
      const home = await temporaryFolder(context)
      const platform = await detectPlatform()
      const server = await platform.serve(test.system.handle, { host: '127.0.0.1', port: 0 })
      const clients: Client[] = []
      const start = (command: string, argv: readonly string[]): Client => {
        const started = startClient(client.command(command), argv, { home })
        clients.push(started)
        return started
      }
      const listen = (keywords: object): Client =>
        start('python', [LISTEN, server.url, JSON.stringify({ event_type: 'flight', ...keywords })])
      try {
        await use({
          test,
          listen,
          listenToEnd: async (keywords) => (await listen(keywords).ended()).lines,
          cli: (...argv) => start('aviso', ['--base-url', server.url, ...argv]),
        })
      } finally {
        await Promise.all(clients.map((running) => running.stop()))
        await server.close()
      }
    },
    { vars },
  )
}

/** Waits until so many streams are open. */
function streams({ call }: TestSystem, count: number): Promise<void> {
  return eventually(`${count} streams are open`, async () => {
    const { streams: open } = (await (await call('/ready')).json()) as { streams: number }
    return open === count
  })
}

const REPLAY = { mode: 'replay_only' }

describe('pyaviso 2.x', { skip: client.skip }, () => {
  it('publishes, and reads the schema', async (context) => {
    await withDoor(context, async ({ test, cli }) => {
      const published = await cli(
        'notify',
        'event=flight,country=Italy,airport=FCO,date=20260810,number=AZ1,data="x"',
      ).ended()
      assert.equal(published.code, 0, published.lines.join('\n'))
      const { kvs } = (await (
        await test.post('/v3/kv/range', { key: btoa('/tmp/aviso/flight/20260810/italy/FCO/AZ1') })
      ).json()) as { kvs: readonly { value: string }[] }
      assert.equal(atob(kvs[0]?.value ?? ''), 'x')
      const refused = await cli('notify', 'event=flight,country=Italy,nope=1').ended()
      assert.deepEqual([refused.code, refused.lines.join().includes('nope')], [1, true])
      const schema = await cli('--json', 'schema', 'get', 'flight').ended()
      assert.match(schema.lines.join(''), /StringHandler/)
    })
  })

  it('listens live, with and without a filter', async (context) => {
    await withDoor(context, async ({ test, listen }) => {
      const all = listen({})
      const some = listen({ filter: { number: { in: ['b', 'c'] }, country: 'Italy' } })
      await streams(test, 2)
      for (const number of ['a', 'b', 'c']) await test.publish(number, { is: number })
      for (const line of ['1 {"is": "a"}', '2 {"is": "b"}', '3 {"is": "c"}']) await all.line(line)
      for (const line of ['2 {"is": "b"}', '3 {"is": "c"}']) await some.line(line)
    })
  })

  it('gets what other writers store, and goes on', async (context) => {
    await withDoor(context, async ({ test, listen, listenToEnd }) => {
      await test.publish('a')
      const all = listen({})
      await streams(test, 1)
      await test.publishForeign('x')
      await all.line('1 "payload of x"')
      await test.publish('b')
      await test.publishForeign('y')
      await test.publish('c')
      for (const line of ['2 "payload of b"', '2 "payload of y"', '3 "payload of c"']) await all.line(line)
      const replayed = await listenToEnd({ ...REPLAY, start_from: 0 })
      assert.deepEqual(
        replayed.map((line) => line.replace('payload of ', '')),
        ['1 "a"', '1 "x"', '2 "b"', '2 "y"', '3 "c"', 'end'],
      )
    })
  })

  it('replays from numbers and dates, up to numbers and dates', async (context) => {
    await withDoor(context, async ({ test, listenToEnd }) => {
      await test.publishTogether('a', 'b', 'c')
      const at = Date.now() + 1
      await eventually('time passes', async () => Date.now() > at)
      const start_from = new Date(at).toISOString()
      await test.publish('d', null)
      await test.publish('e', [1])
      const until = new Date(Date.now() + 60_000).toISOString()
      const lines = ['1 "payload of a"', '2 "payload of b"', '3 "payload of c"', '4 null', '5 [1]']
      // Its numbers are the last ones seen.
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 0 }), [...lines, 'end'])
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 3 }), [...lines.slice(3), 'end'])
      // The store has never given out 99, so it is not the one that the client saw.
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 99 }), [
        'HistoryGapError replay_limit_reached',
      ])
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 1, until: 2 }), [
        ...lines.slice(1, 2),
        'end',
      ])
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from, until }), [...lines.slice(3), 'end'])
      const filter = { number: ['a', 'e'] }
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 0, filter }), [lines[0], lines[4], 'end'])
    })
  })

  it('goes on live behind its history', async (context) => {
    await withDoor(context, async ({ test, listen }) => {
      for (const number of ['a', 'b']) await test.publish(number)
      const listener = listen({ start_from: 1 })
      await listener.line('2 "payload of b"')
      await test.publish('c')
      await listener.line('3 "payload of c"')
    })
  })

  it('shows what is wrong with a request', async (context) => {
    await withDoor(context, async ({ listenToEnd }) => {
      const [unknown] = await listenToEnd({ filter: { nope: 1 } })
      assert.match(unknown ?? '', /^HttpError .*"INVALID_WATCH_REQUEST"/)
      const [date] = await listenToEnd({ ...REPLAY, start_from: 'someday' })
      assert.match(date ?? '', /^HttpError .*"INVALID_REPLAY_REQUEST"/)
    })
  })

  it('is told of history that is gone, and gets what is left where it asks for everything with a filter', async (context) => {
    await withDoor(context, async ({ test, listenToEnd }) => {
      for (const number of ['a', 'b', 'c']) await test.publish(number)
      await test.store.compact(BigInt((await test.publish('d')).revision))
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 1 }), [
        'HistoryGapError replay_limit_reached',
      ])
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 0 }), ['HistoryGapError sequence_jump'])
      const filter = { country: 'Italy' }
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: 0, filter }), ['4 "payload of d"', 'end'])
      // A date has no number that the client would count on from, so it is what to begin with.
      const at = Date.now() + 1
      await eventually('time passes', async () => Date.now() > at)
      await test.publish('e')
      const since = new Date(at).toISOString()
      assert.deepEqual(await listenToEnd({ ...REPLAY, start_from: since }), ['5 "payload of e"', 'end'])
    })
  })

  it('goes on where a stream was ended for its age, and past what other writers store', async (context) => {
    await withDoor(
      context,
      async ({ test, listen }) => {
        const listener = listen({})
        await streams(test, 1)
        for (let count = 1; count <= 30; count++) {
          await test.publish(String(count))
          if (count % 10 === 0) await test.publishForeign(`foreign-${count}`)
          await listener.line(`${count} "payload of ${count}"`)
          const at = Date.now() + 100
          await eventually('the stream ages', async () => Date.now() > at)
        }
      },
      { streamMaxAgeSeconds: 1, heartbeatSeconds: 1 },
    )
  })

  it('loses and repeats nothing while the service is killed and started again', async (context) => {
    const [home, data] = [await temporaryFolder(context), await temporaryFolder(context)]
    const start = (port: number) =>
      startServer({ port, arguments: ['--store', 'embedded:', '--data', join(data, 'd')] })
    let server = await start(0)
    const { url } = server
    const keywords = JSON.stringify({ event_type: 'flight', start_from: 0 })
    const listener = startClient(client.command('python'), [LISTEN, url, keywords], { home })
    const publish = async (): Promise<boolean> => {
      const body = JSON.stringify({ event_type: 'flight', identifier: flight('a') })
      const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body }).catch(
        () => undefined,
      )
      return response?.status === 200
    }
    try {
      let acknowledged = 0
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
        for (let count = 0; count < 20; count++) if (await publish()) acknowledged++
        await listener.line(`${acknowledged} null`)
        const unread = (await publish()) ? 1 : 0
        await server.stop(signal)
        server = await start(Number(new URL(url).port))
        acknowledged += unread
      }
      await listener.line(`${acknowledged} null`)
      assert.equal(acknowledged, 63)
      await listener.stop()
      const { lines } = await listener.ended()
      const numbers = lines.map((line) => Number(/^(\d+) null$/.exec(line)?.[1]))
      assert.deepEqual(
        numbers,
        Array.from({ length: acknowledged }, (_, index) => index + 1),
      )
    } finally {
      await listener.stop()
      await server.stop()
    }
  })

  it('runs its own commands: listen with a file, replay', async (context) => {
    await withDoor(context, async ({ test, cli }) => {
      await test.publish('a')
      const replayed = await cli('replay', '--event', 'flight', '--identifiers', '{}', '--from', '0').ended()
      assert.equal(replayed.code, 0, replayed.lines.join('\n'))
      assert.match(replayed.lines.join('\n'), /"sequence":1,.*\n.*1 notification delivered/)
      const listening = cli(
        '--state-file',
        'state.json',
        'listen',
        '--event',
        'flight',
        '--identifier',
        'number=b',
      )
      await streams(test, 1)
      for (const number of ['a', 'b']) await test.publish(number)
      assert.match(await listening.line('"event_type":"flight"'), /"sequence":3,/)
    })
  })
})
