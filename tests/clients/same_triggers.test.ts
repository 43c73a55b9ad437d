/**
 * pyaviso 1.x beside our client, on the same ten listener files (`tests/clients/listeners`) and the same notifications: what their triggers
 * received, in order.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { parseJsonRecord } from '#shared/json/record.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { findClient, startClient, type Client, type Program } from './real_client.ts'

const FILES = fileURLToPath(new URL('listeners', import.meta.url))
const OURS: Program = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL('../../scripts/aviso.ts', import.meta.url)),
]
const client = await findClient('pyaviso1')

/** Programs that the commands of the files run. A line has one call. */
const SCRIPTS = {
  'record.sh': 'line=$(printf "%s|" "$@"); echo "$line" >> "$HOME/record.txt"',
  'record_environment.sh': 'echo "environment|$NUMBER|$DATE|$PAYLOAD|" >> "$HOME/record.txt"',
  'record_file.sh': 'echo "$1|$(cat "$2")|" >> "$HOME/record.txt"',
}

/** A notification, and how many records it makes: calls, lines of logs, posts and echoes. */
type Published = readonly [country: string, airport: string, date: string, number: string, records: number]

const PUBLISHED: readonly Published[] = [
  // 01, 02, 03, 06, 08 twice, 09
  ['Italy', 'fco', '20260810', 'AZ203', 7],
  // 01, 03, 06, 07, 08 twice, 10 four times
  ['Italy', 'MXP', '20260810', 'AZ204', 10],
  // 03, 05, 06, 07, 08 twice, 10 four times
  ['italy', 'mxp', '20260811', 'AZ204', 10],
  // 04, 07 twice, 08 twice, 09
  ['france', 'cdg', '20260810', 'AF1', 6],
  // 04, 05, 08 twice
  ['France', 'ory', '20260811', 'AF2', 4],
  // 02, 03, 08 twice
  ['Italy', 'FCO', '20260812', 'AZ9', 4],
]

/** Between two rounds of the warm-up: 1.x polls once a second, and our client runs every command of every round. */
const WARM_UP_MS = 500

/** Beginnings of what the listeners of the files show. */
const LISTENERS = [
  'echo Italy',
  'echo France',
  'notifications.log',
  'environment',
  'working_dir',
  'lists',
  'several-mxp',
  'several-cdg',
  'json',
  'command',
  '/in',
  'order',
]

/** What the triggers of a client received, by what they are. Within each, in order. */
type Records = Readonly<Record<'calls' | 'logs' | 'posts' | 'echoes', readonly string[]>>

/** A client that runs the ten files. */
interface Listening {
  readonly client: Client
  /** Those with a payload. Default: of the test itself, not of the warm-up. */
  records(payload?: string): Promise<Records>
  /** Which of {@link LISTENERS} have shown something. */
  warm(): Promise<readonly string[]>
}

/** Where notifications are posted. The clients are told apart by how they introduce themselves. */
async function startReceiver(context: TestContext) {
  const posts = { ours: [] as string[], theirs: [] as string[] }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const { id, time, ...event } = parseJsonRecord(body) ?? {}
      assert.ok(typeof id === 'string' && typeof time === 'string')
      const { 'user-agent': agent, 'content-type': type, 'x-test': test } = request.headers
      const from = agent?.startsWith('python') === true ? posts.theirs : posts.ours
      from.push([request.url, type, test, JSON.stringify(event)].join(' '))
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, posts }
}

/** A home with the files and the programs. */
async function makeHome(context: TestContext, receiver: string): Promise<string> {
  const home = await temporaryFolder(context)
  await mkdir(join(home, 'work'))
  for (const [name, text] of Object.entries(SCRIPTS)) {
    await writeFile(join(home, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(home, name), 0o755)
  }
  for (const name of await readdir(FILES)) {
    const text = await readFile(join(FILES, name), 'utf8')
    await writeFile(join(home, name), text.replaceAll('RECEIVER', receiver))
  }
  return home
}

/** What the trigger `log` wrote. In 1.x messages of other listeners get into its file, too, and `echo` has one that begins alike. */
async function logsOf(path: string): Promise<readonly string[]> {
  return (await linesOf(path))
    .filter((line) => line.includes('Notification received: {'))
    .map((line) => line.replace(/^[\d-]+ [\d:,]+ /, ''))
}

async function linesOf(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line !== '')
}

/** The JSON texts that are printed over several lines. */
function echoesIn(lines: readonly string[]): readonly string[] {
  const texts = lines.join('\n').matchAll(/^\{\n(?: .*\n)*\}$/gm)
  return [...texts].map(([text]) => text)
}

interface Start {
  readonly program: Program
  readonly url: string
  readonly receiver: string
  readonly posts: readonly string[]
  readonly flags: readonly string[]
  /** Default: all of them. */
  readonly files?: readonly string[]
}

async function listen(context: TestContext, start: Start): Promise<Listening> {
  const { program, url, receiver, posts, flags, files = (await readdir(FILES)).toSorted() } = start
  const home = await makeHome(context, receiver)
  const { port } = new URL(url)
  const lines: string[] = []
  const environment = {
    AVISO_NOTIFICATION_HOST: '127.0.0.1',
    AVISO_NOTIFICATION_PORT: port,
    AVISO_CONFIGURATION_HOST: '127.0.0.1',
    AVISO_CONFIGURATION_PORT: port,
    AVISO_POLLING_INTERVAL: '1',
  }
  const onLine = (line: string): void => void lines.push(line)
  const running = startClient(program, ['listen', ...files, ...flags], { home, environment, onLine })
  context.after(() => running.stop())
  const withPayload = (records: readonly string[], payload: string): string[] =>
    records.filter((text) => text.includes(payload))
  return {
    client: running,
    warm: async () => [
      ...(await linesOf(join(home, 'record.txt'))).map((line) => line.split('|')[0] ?? ''),
      ...(await linesOf(join(home, 'notifications.log'))).map(() => 'notifications.log'),
      ...posts.map((post) => post.split(' ')[0] ?? ''),
      ...echoesIn(lines).map((text) => (/italy/i.test(text) ? 'echo Italy' : 'echo France')),
    ],
    records: async (payload = 'payload-') => ({
      calls: withPayload(await linesOf(join(home, 'record.txt')), payload),
      logs: withPayload(
        [...(await logsOf(join(home, 'notifications.log'))), ...(await logsOf(join(home, 'order.log')))],
        payload,
      ),
      posts: withPayload(posts, payload),
      echoes: withPayload(echoesIn(lines), payload),
    }),
  }
}

function countOf(records: Records): number {
  return Object.values(records).reduce((total, { length }) => total + length, 0)
}

/** Calls of one listener are in order. Listeners of 1.x run beside one another, so their calls are told apart by their first word. */
function byListener({ calls, ...others }: Records): object {
  const groups = Object.groupBy(calls, (call) => call.split('|')[0] ?? '')
  return { ...others, ...groups }
}

describe('pyaviso 1.x and our client', { skip: client.skip }, () => {
  it('run the same triggers of ten files, in the same order', async (context) => {
    const server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    context.after(() => server.stop())
    const { url } = server
    const { url: receiver, posts } = await startReceiver(context)
    const publish = async ([country, airport, date, number]: Published, payload: string): Promise<void> => {
      const body = JSON.stringify({
        event_type: 'flight',
        identifier: { country, airport, date, number },
        payload,
      })
      const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
      assert.equal(response.status, 200, await response.text())
    }
    const [theirs, ours] = await Promise.all([
      listen(context, {
        program: client.command('aviso'),
        url,
        receiver,
        posts: posts.theirs,
        flags: ['--now'],
      }),
      listen(context, { program: OURS, url, receiver, posts: posts.ours, flags: ['--now'] }),
    ])
    await ours.client.line('Connected')
    await warmUp([theirs, ours], publish)
    let expected = 0
    const from = new Date().toISOString()
    for (const [index, notification] of PUBLISHED.entries()) {
      await publish(notification, `payload-${index}`)
      expected += notification[4]
      const wait = (which: Listening): Promise<void> =>
        eventually(`notification ${index} is handled`, async () => countOf(await which.records()) >= expected)
      await Promise.all([wait(theirs), wait(ours)])
    }
    assert.deepEqual(byListener(await ours.records()), byListener(await theirs.records()))
    assert.equal(countOf(await ours.records()), expected)

    // The past, too. 1.x reads it from the newest to the oldest. Of several listeners it ends all with the first, so they run one by one.
    const to = new Date().toISOString()
    await eventually('time passes', async () => new Date().toISOString() > to)
    const past = { url, receiver, posts: [], flags: ['--from', from, '--to', to] }
    for (const files of [['03_command.yaml'], ['06_lists.yaml']]) {
      const [theirPast, ourPast] = await Promise.all([
        listen(context, { ...past, files, program: client.command('aviso') }),
        listen(context, { ...past, files, program: OURS }),
      ])
      const codes = await Promise.all(
        [theirPast, ourPast].map(async (each) => (await each.client.ended()).code),
      )
      assert.deepEqual(codes, [0, 0])
      const { calls } = await ourPast.records()
      assert.deepEqual(calls.toReversed(), (await theirPast.records()).calls)
      assert.ok(calls.length > 2)
    }
  })
})

/** Publishes until every listener has shown something: 1.x says that it listens before it has asked where to begin. */
async function warmUp(
  clients: readonly Listening[],
  publish: (notification: Published, payload: string) => Promise<void>,
): Promise<void> {
  const publishAll = async (payload: string): Promise<void> => {
    for (const notification of PUBLISHED) await publish(notification, payload)
  }
  const areWarm = async (): Promise<boolean> => {
    const shown = await Promise.all(clients.map(({ warm }) => warm()))
    if (shown.every((names) => LISTENERS.every((name) => names.includes(name)))) return true
    await publishAll('warm')
    return false
  }
  await eventually('every listener has begun', areWarm, WARM_UP_MS)
  // A listener that began early may still be busy with these: their output would get between what is compared.
  await publishAll('last')
  const total = PUBLISHED.reduce((sum, [, , , , each]) => sum + each, 0)
  const areDone = async (): Promise<boolean> => {
    const records = await Promise.all(clients.map((each) => each.records('last')))
    return records.every((each) => countOf(each) === total)
  }
  await eventually('the warm-up is handled', areDone)
}
