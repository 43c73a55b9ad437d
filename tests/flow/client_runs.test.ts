/**
 * The client's commands about runs, as processes against a real service: a shell script must be able to rely on their exit codes.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { runClient, spawnClient, type ClientRun } from '../support/client_program.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const TODAY = new Date().toISOString().slice(0, 10)
const DATE = TODAY.replaceAll('-', '')
/** Due on the day after tomorrow, so that no run of today is late while the test runs. */
const NOT_TODAY = '72h'
const RUNS = {
  mars: {
    run: ['class', 'stream', 'expver', 'date', 'time'],
    product: ['step'],
    nominal: { date: 'date', time: 'time' },
    expect: [{ step: '0/to/6/by/3' }],
    due: NOT_TODAY,
    close: '96h',
  },
  dissemination: {
    run: ['destination', 'class', 'stream', 'expver', 'date', 'time'],
    product: ['step'],
    nominal: { date: 'date', time: 'time' },
    expect: [{ step: '0/to/6/by/3' }],
    due: '1s',
    close: '96h',
  },
}
const OPER = { class: 'od', stream: 'oper', expver: '0001', date: DATE, time: '12' }

/** A process that goes on, and what it has printed. */
interface Going {
  readonly lines: () => string
  readonly ended: Promise<ClientRun>
  stop(): Promise<ClientRun>
}

describe('runs, wait and when against a service', () => {
  let server: TestServer
  let home: string
  const start = (port?: number): Promise<TestServer> =>
    startServer({
      arguments: ['--config', join(home, 'config.json'), '--data', join(home, 'data')],
      ...(port !== undefined && { port }),
    })
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'aviso-test-'))
    const config = { ...configFile, vars: { ...configFile.vars, runs: RUNS } }
    await writeFile(join(home, 'config.json'), JSON.stringify(config))
    server = await start()
  })
  after(async () => {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })

  async function publish(event: string, fields: object, step: number): Promise<void> {
    const identifier = { ...fields, domain: 'g', step }
    const body = JSON.stringify({ event_type: event, identifier, payload: `file ${step}` })
    const response = await fetch(`${server.url}/api/v1/notification`, { method: 'POST', body })
    assert.equal(response.status, 200, await response.text())
  }
  const aviso = (...argv: string[]): Promise<ClientRun> => runClient(argv, { home, url: server.url })
  function begin(...argv: string[]): Going {
    const child = spawnClient(argv, { home, url: server.url })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk) => (stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (stderr += String(chunk)))
    const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
    return {
      lines: () => stdout + stderr,
      ended,
      stop() {
        child.kill('SIGTERM')
        return ended
      },
    }
  }
  /** What the process prints. */
  const printed = (process: Going, text: string): Promise<void> =>
    eventually(`${text} among\n${process.lines()}`, () => process.lines().includes(text), 20)

  it('wait: ends with 0 when the run is complete, across a restart of the service', async () => {
    const waiting = begin('wait', 'mars', 'class=od', 'stream=oper', 'expver=0001', `date=${DATE}`, 'time=12')
    await printed(waiting, 'Waiting for mars class=od stream=oper expver=0001')
    await publish('mars', OPER, 0)
    await printed(waiting, 'running, 1 of 3, 33%')
    const port = Number(new URL(server.url).port)
    await server.stop()
    server = await start(port)
    await publish('mars', OPER, 3)
    await publish('mars', OPER, 6)
    const { code, stdout } = await waiting.ended
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^mars od oper 0001 ${TODAY} 12Z is complete since .* UTC, 3 of 3\n$`))
  })

  it('wait: ends with 1 and what is missing when the time is over, or the run is late', async () => {
    await publish('mars', { ...OPER, stream: 'wave' }, 0)
    // Midnight of today, or of yesterday in the first seconds of a day.
    const date = new Date(Date.now() - 60_000).toISOString().slice(0, 10).replaceAll('-', '')
    await publish('dissemination', { ...OPER, destination: 'FOO', target: 'E1', date, time: '00' }, 0)
    const words = ['mars', 'stream=wave', `date=${TODAY}`, 'time=12Z']
    const [over, part, late] = await Promise.all([
      aviso('wait', ...words, '--timeout', '1s'),
      aviso('wait', ...words, '--until', '33%', '-q', '--json'),
      aviso('wait', 'dissemination', 'destination=FOO', 'time=00'),
    ])
    assert.deepEqual([over.code, over.stdout], [1, ''])
    // On a busy machine the time may be over before the first look. A unit test has the whole text.
    assert.match(over.stderr, /(?:is not that far \(complete\)|no such run) after 1s/)
    assert.deepEqual(
      [part.code, (JSON.parse(part.stdout) as { why: string }).why, part.stderr],
      [0, 'reached', ''],
    )
    assert.equal(late.code, 1)
    assert.match(
      late.stderr,
      /FOO od oper 0001 .* 00Z is late: due 00:00 UTC, 1 of 3; 2 missing: step 3, 6$/m,
    )
  })

  it('wait --until step=3: ends when that is there', async () => {
    const run = { ...OPER, time: '18' }
    const waiting = begin('wait', 'mars', 'stream=oper', `date=${DATE}`, 'time=18', '--until', 'step=3')
    await printed(waiting, 'Waiting for mars')
    for (const step of [0, 3]) await publish('mars', run, step)
    const { code, stdout } = await waiting.ended
    assert.deepEqual([code, stdout], [0, `mars od oper 0001 ${TODAY} 18Z has step=3\n`])
  })

  it('wait: ends with 2 for a mistake', async () => {
    const [field, value, event, several] = await Promise.all([
      aviso('wait', 'mars', 'clas=od'),
      aviso('wait', 'mars', 'class=od', 'date=20260230'),
      aviso('wait', 'flight'),
      aviso('wait', 'mars', `date=${DATE}`, 'time=12'),
    ])
    assert.deepEqual([field.code, /Did you mean class\?/.test(field.stderr)], [2, true])
    assert.deepEqual([value.code, /"20260230" is no value of date/.test(value.stderr)], [2, true])
    assert.deepEqual(
      [event.code, /follow no runs of flight, but those of mars/.test(event.stderr)],
      [2, true],
    )
    assert.deepEqual([several.code, /add such as stream=/.test(several.stderr)], [2, true])
  })

  it('runs: lists them, and shows one', async () => {
    const [{ code, stdout }, one] = await Promise.all([
      aviso('runs', 'mars', `date=${DATE}`, 'time=12'),
      aviso('runs', `mars:od,wave,0001,${DATE},12`),
    ])
    assert.equal(code, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 3, stdout)
    assert.match(stdout, new RegExp(`^mars od oper 0001 +${TODAY} 12Z +complete +#{10} +100% +3 of 3 `, 'm'))
    assert.match(
      stdout,
      new RegExp(`^mars od wave 0001 +${TODAY} 12Z +running +###\\.{7} +33% +1 of 3 `, 'm'),
    )
    assert.equal(one.code, 0)
    assert.match(one.stdout, /\nstep 0 {2}#\.\.\n# came {3}\. to come\n\n2 missing: step 3, 6\n$/)
  })

  it('listen with when: runs once for a complete run, with all of its notifications', async () => {
    const file = `listeners:
  - event: mars
    request: {class: od, stream: scda}
    when: complete
    triggers:
      - {type: command, shell: true, command: 'cp "$AVISO_RUN_FILE" all.jsonl'}
      - {type: command, command: 'echo ended with \${request.state} \${request.time}'}
`
    await writeFile(join(home, 'l.yaml'), file)
    const listening = begin('listen', 'l.yaml')
    await printed(listening, 'Connected')
    const run = { ...OPER, stream: 'scda' }
    for (const step of [0, 3, 3, 6]) await publish('mars', run, step)
    await printed(listening, 'ended with complete 12')
    assert.equal((await listening.stop()).code, 0)
    const lines = (await readFile(join(home, 'all.jsonl'), 'utf8')).trimEnd().split('\n')
    const steps = lines.map((line) => (JSON.parse(line) as { request: { step: string } }).request.step)
    assert.deepEqual(steps, ['0', '3', '3', '6'])
  })
})
