/**
 * The 1.x client (pyaviso 1.0.2) with its engine `etcd_rest`, against the facade, over real sockets.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { runClient } from '../support/client_program.ts'
import { findClient, startClient, type Client } from './real_client.ts'
import { eventually } from '../support/waiting.ts'

const client = await findClient('pyaviso1')

const LISTENER = `listeners:
  - event: flight
    request: {country: italy}
    triggers: [{type: echo}]
`

/** A server, the client's home, and what talks to the server. */
interface Door {
  readonly home: string
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
  aviso(...argv: readonly string[]): Client
  listen(...flags: readonly string[]): Client
  publish(number: string, payload?: unknown): Promise<void>
  /** Kills the server, and starts it again at the same address. */
  restart(): Promise<void>
}

async function withDoor(context: TestContext, use: (door: Door) => Promise<void>): Promise<void> {
  const [home, data] = [await temporaryFolder(context), await temporaryFolder(context)]
  const start = (port: number): Promise<TestServer> =>
    startServer({ port, arguments: ['--store', 'embedded:', '--data', join(data, 'd')] })
  let server = await start(0)
  const { url } = server
  const { port } = new URL(url)
  const environment = {
    AVISO_NOTIFICATION_HOST: '127.0.0.1',
    AVISO_NOTIFICATION_PORT: port,
    AVISO_CONFIGURATION_HOST: '127.0.0.1',
    AVISO_CONFIGURATION_PORT: port,
    AVISO_POLLING_INTERVAL: '1',
    AVISO_AUTOMATIC_RETRY_DELAY: '1',
  }
  await writeFile(join(home, 'flight.yaml'), LISTENER)
  const clients: Client[] = []
  const aviso = (...argv: readonly string[]): Client => {
    const started = startClient(client.command('aviso'), argv, { home, environment })
    clients.push(started)
    return started
  }
  try {
    await use({
      home,
      url,
      environment,
      aviso,
      listen: (...flags) => aviso('listen', 'flight.yaml', ...flags),
      publish: async (number, payload = `payload of ${number}`) => {
        const identifier = { country: 'Italy', airport: 'fco', date: '20260810', number }
        const body = JSON.stringify({ event_type: 'flight', identifier, payload })
        const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
        assert.equal(response.status, 200, await response.text())
      },
      restart: async () => {
        await server.stop('SIGKILL')
        server = await start(Number(port))
      },
    })
  } finally {
    await Promise.all(clients.map((running) => running.stop()))
    await server.stop()
  }
}

/** Numbers of the notifications in an output. */
function numbers(lines: readonly string[]): (string | undefined)[] {
  return lines.filter((line) => line.includes('"number"')).map((line) => /"number": "(.*)"/.exec(line)?.[1])
}

/** Publishes until the listener shows one: it says that it listens before it has asked where to begin. */
async function untilPolling(listener: Client, publish: Door['publish']): Promise<void> {
  let count = 0
  let isPolling = false
  const shown = listener.line('"number": "first-').then(() => {
    isPolling = true
  })
  await eventually('the listener polls', async () => {
    if (!isPolling) await publish(`first-${count++}`)
    return isPolling
  })
  await shown
}

/** The time in the form of its flags; it differs from every time before and after. */
async function now(): Promise<string> {
  const at = Date.now() + 5
  await eventually('time passes', async () => Date.now() > at + 5)
  return new Date(at).toISOString()
}

const PARAMETERS = 'event=flight,country=Italy,airport=fco,date=20260810,number=a'

describe('pyaviso 1.x', { skip: client.skip }, () => {
  it('listens, and is told of everything once across a restart of the service', async (context) => {
    await withDoor(context, async ({ listen, publish, restart }) => {
      const listener = listen('--now')
      await untilPolling(listener, publish)
      for (const number of ['a', 'b']) {
        await publish(number)
        await listener.line(`"number": "${number}"`)
      }
      await restart()
      await publish('c')
      await listener.line('"number": "c"')
      await listener.stop()
      const { lines } = await listener.ended()
      assert.deepEqual(numbers(lines).slice(-3), ['a', 'b', 'c'])
      assert.equal(new Set(numbers(lines)).size, numbers(lines).length)
    })
  })

  it('catches up with what came while it was away', async (context) => {
    await withDoor(context, async ({ listen, publish }) => {
      const first = listen()
      await untilPolling(first, publish)
      await first.stop()
      for (const number of ['b', 'c']) await publish(number)
      const second = listen()
      for (const number of ['c', 'b']) await second.line(`"number": "${number}"`)
    })
  })

  it('replays between dates', async (context) => {
    await withDoor(context, async ({ listen, publish }) => {
      await publish('a')
      const from = await now()
      for (const number of ['b', 'c']) await publish(number)
      const to = await now()
      await publish('d')
      await now()
      const { code, lines } = await listen('--from', from, '--to', to).ended()
      assert.deepEqual([code, numbers(lines)], [0, ['c', 'b']])
      const open = listen('--from', from)
      for (const number of ['d', 'c', 'b']) await open.line(`"number": "${number}"`)
    })
  })

  it('shows payloads as they are stored: text, JSON, none', async (context) => {
    await withDoor(context, async ({ aviso, publish }) => {
      const value = async (): Promise<string | undefined> =>
        (await aviso('value', PARAMETERS).ended()).lines.findLast((line) => !line.startsWith('Not local'))
      await publish('a')
      assert.equal(await value(), 'payload of a')
      await publish('a', { size: 1 })
      assert.equal(await value(), '{"size":1}')
      await publish('a', null)
      assert.equal(await value(), 'None')
      const key = await aviso('key', PARAMETERS).ended()
      assert.ok(key.lines.includes('/tmp/aviso/flight/20260810/italy/FCO/a'), key.lines.join('\n'))
    })
  })

  it('aviso-config: a service that is not there is no failure, nor is it of ours', async (context) => {
    await withDoor(context, async ({ home, url, environment }) => {
      const aviso = client.command('aviso-config')
      const same: [string, ...string[]][] = [['pull', '--dir', 'x'], ['status'], ['revert'], ['remove']]
      await Promise.all(
        same.map(async ([command, ...flags]) => {
          const theirs = startClient(aviso, [command, 'nosuch', ...flags], { home, environment })
          const { code, lines } = await theirs.ended()
          const ours = await runClient(['config', command, 'nosuch', ...flags], { home, url })
          const none = command === 'status' ? 'No service nosuch found' : 'No files found for service nosuch'
          assert.deepEqual([code, lines], [0, [none]])
          assert.deepEqual(ours, { code, stdout: '', stderr: `${none}\n` })
        }),
      )
    })
  })

  it('cannot write through the facade: notifications are posted', async (context) => {
    await withDoor(context, async ({ aviso }) => {
      const { code, lines } = await aviso('notify', `${PARAMETERS},payload=x`).ended()
      assert.equal(code, 255)
      assert.match(lines.join('\n'), /404 Client Error/)
    })
  })
})
