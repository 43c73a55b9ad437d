/**
 * What the ingest accepts, every listener can handle: the payloads that a program cannot get as they are, from a real service to real
 * programs.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const CLIENT = fileURLToPath(new URL('../../scripts/aviso.ts', import.meta.url))
/** Payloads that are JSON, or text, in every way that is allowed. */
const PAYLOADS: readonly unknown[] = [
  'a\0b',
  'x'.repeat(120_000),
  '€'.repeat(43_000),
  '{"a":1,"a":2}',
  '{"__proto__":1}',
  String.raw`["\ud800"]`,
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '\u2028\u2029\ufeff\r\n',
  '-n --version',
  7,
  false,
  [1, { a: null }],
  null,
  'the last',
]

/** Writes down how many programs ran, and what the last one got. */
const PROGRAM = `
const { appendFileSync, readFileSync, existsSync } = require('node:fs')
const value = process.argv[2]
appendFileSync('handled', JSON.stringify(existsSync(value) ? readFileSync(value, 'utf8').length : value.length) + '\\n')`

async function listen(context: TestContext, url: string, home: string, triggers: string) {
  const file = join(home, 'listener.yaml')
  await writeFile(
    file,
    `listeners:\n  - event: flight\n    request: {country: Italy}\n    triggers: ${triggers}\n`,
  )
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', CLIENT, 'listen', file, '--from', '2020-01-01T00:00:00Z'],
    {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, NO_COLOR: '1', AVISO_BASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  context.after(() => void (child.exitCode === null && child.kill('SIGKILL')))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += String(chunk)
    })
  return {
    output: () => output,
    until: (what: string, isSo: () => Promise<boolean>): Promise<void> =>
      eventually(what, async () => {
        if (child.exitCode !== null)
          throw new Error(`The client ended with ${child.exitCode}:\n${output.slice(-2000)}`)
        return isSo()
      }),
    stop: async (): Promise<number | null> => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'close')
      return child.exitCode
    },
  }
}

async function publishAll(url: string, payloads: readonly unknown[]): Promise<void> {
  for (const [index, payload] of payloads.entries()) {
    const body = JSON.stringify({ event_type: 'flight', identifier: flight(`AZ${index}`), payload })
    const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
    assert.equal(response.status, 200, await response.text())
  }
}

const linesOf = (path: string): Promise<readonly string[]> =>
  readFile(path, 'utf8').then(
    (text) => text.trimEnd().split('\n'),
    () => [],
  )

describe('payloads that a program cannot get as they are', () => {
  it('reach every trigger, and the listener goes on', async (context) => {
    const server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    context.after(() => server.stop())
    await publishAll(server.url, PAYLOADS)
    const home = await temporaryFolder(context)
    const program = join(home, 'program.cjs')
    await writeFile(program, PROGRAM)
    const client = await listen(
      context,
      server.url,
      home,
      `[{type: log, path: '${join(home, 'log')}'}, {type: echo}, {type: command, command: "'${process.execPath}' '${program}' \${payload}", retries: 0}]`,
    )
    const handled = join(home, 'handled')
    await client.until('all are handled', async () => (await linesOf(handled)).length === PAYLOADS.length)
    assert.equal(await client.stop(), 0)
    assert.deepEqual((await linesOf(handled)).map(Number), [
      JSON.stringify('a\0b').length,
      120_000,
      43_000,
      '{"a":1,"a":2}'.length,
      '{"__proto__":1}'.length,
      String.raw`["\ud800"]`.length,
      40_000,
      5,
      '-n --version'.length,
      1,
      'false'.length,
      '[1,{"a":null}]'.length,
      0,
      'the last'.length,
    ])
    assert.equal((await linesOf(join(home, 'log'))).length, PAYLOADS.length)
    assert.match(
      client.output(),
      /Notification flight@1: has a NUL, so the command gets it as JSON text: payload/,
    )
    assert.match(client.output(), /Notification flight@2: too long for a command/)
  })

  it('are kept in the dead-letter file where a trigger can never handle one, once, and the listener goes on', async (context) => {
    const server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    context.after(() => server.stop())
    await publishAll(server.url, [{ path: '/one' }, 'no object', { path: '/three' }])
    const home = await temporaryFolder(context)
    const client = await listen(
      context,
      server.url,
      home,
      `[{type: command, command: 'echo \${payload.path}', retries: 0, on_failure: stop}]`,
    )
    await client.until('the third is handled', async () => client.output().includes('/three'))
    assert.equal(await client.stop(), 0)
    const folder = join(home, '.aviso/state')
    const [name] = (await readdir(folder)).filter((entry) => entry.endsWith('.dead.ndjson'))
    const letters = (await linesOf(join(folder, name ?? ''))).map(
      (line) => JSON.parse(line) as Record<string, unknown>,
    )
    assert.deepEqual(
      letters.map(({ id, trigger, payload }) => [id, trigger, payload]),
      [['flight@2', 'command', 'no object']],
    )
  })
})
