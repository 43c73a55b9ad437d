/**
 * Clients that know nothing of runs, pyaviso 1.0.2 and 2.4.2 as they are, run a trigger when a run is complete.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { startServer, temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { findClient, startClient, type Client } from './real_client.ts'

/** Between two runs that are published until a client listens. */
const PAUSE_MS = 500
const STEPS = ['0', '3', '6']
/** Runs of three steps. What is listened to is of two event types, so a run of `mars` has no destination. */
const EXPECTED = { expect: [{ step: '0/to/6/by/3' }], product: ['step'], due: '47h', close: '48h' }
const NOMINAL = { date: 'date', time: 'time' }
const RUNS = {
  mars: { run: ['class', 'stream', 'expver', 'date', 'time'], nominal: NOMINAL, ...EXPECTED },
  dissemination: {
    run: ['destination', 'class', 'stream', 'expver', 'date', 'time'],
    nominal: NOMINAL,
    ...EXPECTED,
  },
}
const TODAY = new Date().toISOString().slice(0, 10).replaceAll('-', '')

/** A server that follows runs, and a home for a client. */
interface Scene {
  readonly home: string
  readonly url: string
  file(name: string, text: string): Promise<void>
  /** Publishes a run step by step; without the last ones, if so many are wanted. */
  publish(fields: Readonly<Record<string, string>>, steps?: number): Promise<void>
  /** What the trigger wrote. */
  records(): Promise<readonly string[]>
  start(client: Client): Client
}

const CONFIG = JSON.stringify({ ...configFile, vars: { ...configFile.vars, runs: RUNS } })

async function startScene(context: TestContext): Promise<Scene> {
  const home = await temporaryFolder(context)
  const config = join(await temporaryFolder(context), 'config.json')
  await writeFile(config, CONFIG)
  const server = await startServer({ arguments: ['--config', config, '--store', 'embedded:memory'] })
  context.after(() => server.stop())
  await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  return {
    home,
    url: server.url,
    file: (name, text) => writeFile(join(home, name), text),
    publish: async ({ event = '', ...fields }, steps = STEPS.length) => {
      for (const step of STEPS.slice(0, steps)) {
        const identifier = { class: 'od', expver: '1', domain: 'g', time: '0', date: TODAY, ...fields, step }
        const body = JSON.stringify({ event_type: event, identifier, payload: `payload of ${step}` })
        const response = await fetch(`${server.url}/api/v1/notification`, { method: 'POST', body })
        assert.equal(response.status, 200, await response.text())
      }
    },
    records: async () => {
      const text = await readFile(join(home, 'record.txt'), 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
    start: (client) => {
      context.after(() => client.stop())
      return client
    },
  }
}

const MARS = { event: 'mars', stream: 'oper' }
const FOO = { event: 'dissemination', stream: 'oper', destination: 'FOO', target: 'E1' }
const WAVES = { event: 'dissemination', stream: 'wave', destination: 'FOO', target: 'E1' }
const FOOBAR = { event: 'dissemination', stream: 'oper', destination: 'FOOBAR', target: 'E1' }

/** Publishes runs of experiments until the trigger has run: a client says that it listens before it does. */
async function untilListening({ publish, records }: Scene, run: typeof MARS): Promise<void> {
  let expver = 100
  let publishedAt = 0
  await eventually(`the trigger of ${run.event} runs`, async () => {
    if (Date.now() - publishedAt > PAUSE_MS) {
      await publish({ ...run, expver: String(expver++) })
      publishedAt = Date.now()
    }
    return (await records()).some((line) => line.startsWith(`${run.event} `))
  })
}

/** Everything that may not run a trigger, and then what has to. */
async function publishRuns(scene: Scene): Promise<void> {
  const { publish, records } = scene
  await untilListening(scene, MARS)
  await untilListening(scene, FOO)
  for (const run of [WAVES, FOOBAR]) await publish(run)
  await publish({ ...MARS, stream: 'wave' })
  await publish({ ...FOO, time: '06' }, 2)
  for (const run of [MARS, FOO]) await publish({ ...run, time: '12' })
  // Each of them is the last one of its event type, so whatever else ran a trigger did so before.
  const isOfExperiment = (line: string): boolean => / 01\d\d /.test(line)
  const own = async (): Promise<string[]> =>
    (await records()).filter((line) => !isOfExperiment(line)).toSorted()
  await eventually('both triggers ran', async () => (await own()).length >= 2)
  assert.deepEqual(await own(), [
    `dissemination FOO oper 0001 ${TODAY} 12 complete 3 of 3`,
    `mars - oper 0001 ${TODAY} 12 complete 3 of 3`,
  ])
}

/** What the README tells users of 1.x to add to their schema, because their clients make keys themselves. */
async function schemaFile1x(): Promise<string> {
  const text = await readFile(new URL('../../services/runs/README.md', import.meta.url), 'utf8')
  const block = text.split('```json\n').find((part) => part.trimStart().startsWith('{\n  "run": {'))
  assert.ok(block !== undefined, 'the README has no schema for clients of 1.x')
  return block.slice(0, block.indexOf('```'))
}

const client1 = await findClient('pyaviso1')
const client2 = await findClient('pyaviso2')

describe('pyaviso 1.x and runs', { skip: client1.skip }, () => {
  it('runs a trigger when a run is complete', async (context) => {
    const scene = await startScene(context)
    const { home, url, file, start } = scene
    const trigger = (request: string): string => `
  - event: run
    request: ${request}
    triggers:
      - type: command
        command: sh ./record.sh \${request.event_type} \${request.destination} \${request.stream} \${request.expver} \${request.date} \${request.time} \${request.state}
        environment: {PAYLOAD: '\${payload}'}`
    const folder = join(home, '.aviso/service_configuration')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'event_listener_schema.json'), await schemaFile1x())
    await file(
      'runs.yaml',
      `listeners:${trigger('{event_type: dissemination, destination: FOO, stream: oper, state: complete}')}${trigger('{event_type: mars, destination: "-", stream: oper, state: complete}')}\n`,
    )
    await file('record.sh', RECORD)
    const { port } = new URL(url)
    start(
      startClient(client1.command('aviso'), ['listen', 'runs.yaml', '--now'], {
        home,
        environment: {
          AVISO_NOTIFICATION_HOST: '127.0.0.1',
          AVISO_NOTIFICATION_PORT: port,
          AVISO_CONFIGURATION_HOST: '127.0.0.1',
          AVISO_CONFIGURATION_PORT: port,
          AVISO_POLLING_INTERVAL: '1',
        },
      }),
    )
    await publishRuns(scene)
  })
})

describe('pyaviso 2.x and runs', { skip: client2.skip }, () => {
  it('runs a trigger when a run is complete', async (context) => {
    const scene = await startScene(context)
    const { home, url, file, start } = scene
    const identifiers = [
      '{event_type: dissemination, destination: FOO, stream: oper, state: complete}',
      '{event_type: mars, stream: oper, state: complete}',
    ]
    const command =
      'PAYLOAD="$AVISO_PAYLOAD_JSON" sh ./record.sh $AVISO_IDENTIFIER_EVENT_TYPE $AVISO_IDENTIFIER_DESTINATION $AVISO_IDENTIFIER_STREAM $AVISO_IDENTIFIER_EXPVER $AVISO_IDENTIFIER_DATE $AVISO_IDENTIFIER_TIME $AVISO_IDENTIFIER_STATE'
    const listeners = identifiers.map(
      (wanted) =>
        `\n  - event: run\n    identifiers: ${wanted}\n    triggers: [{type: command, command: '${command}'}]`,
    )
    await file('runs.yaml', `listeners:${listeners.join('')}\n`)
    await file('record.sh', RECORD)
    start(startClient(client2.command('aviso'), ['--base-url', url, 'listen', 'runs.yaml'], { home }))
    await publishRuns(scene)
  })
})

/** Appends its arguments, and what the payload says of the counts. */
const RECORD = `#!/bin/sh
received=$(printf '%s' "$PAYLOAD" | sed -n 's/.*"received": *\\([0-9]*\\).*/\\1/p')
expected=$(printf '%s' "$PAYLOAD" | sed -n 's/.*"expected": *\\([0-9]*\\).*/\\1/p')
echo "$* $received of $expected" >> "$HOME/record.txt"
`
