/**
 * A start that cannot succeed ends at once, with exit code 2 and all reasons, on every runtime.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { freePort } from '../../scripts/etcd/member.ts'
import { serveCommand, temporaryFolder } from '../support/server.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly output: string
}

function start(runtime: Parameters<typeof serveCommand>[0], flags: readonly string[]): Promise<Ended> {
  const [command, ...prefix] = serveCommand(runtime)
  const child = spawn(command, [...prefix, '--port', '0', '--store', 'embedded:memory', ...flags], {
    cwd: ROOT,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Uint8Array) => (output += new TextDecoder().decode(text)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

describe('a start', { timeout: 60_000 }, () => {
  for (const runtime of ['node', 'deno', 'bun'] as const)
    it(`on ${runtime} says that help could not be written, and exits 1`, async (context) => {
      if (!existsSync('/dev/full')) return context.skip('only Linux has a device that is full')
      const [command, ...prefix] = serveCommand(runtime)
      const full = await open('/dev/full', 'w')
      const child = spawn(command, [...prefix, '--help'], { cwd: ROOT, stdio: ['ignore', full.fd, 'pipe'] })
      let told = ''
      child.stderr?.on('data', (text: Uint8Array) => (told += new TextDecoder().decode(text)))
      const [code] = (await once(child, 'close')) as [number | null]
      await full.close()
      assert.equal(code, 1, told)
      assert.match(told, /^error: Cannot write the output: ENOSPC[^\n]*\n$/)
    })

  it('and a check refuse a data folder of the kernel', async (context) => {
    if (process.platform !== 'linux') return context.skip('only Linux has /proc')
    for (const flags of [['--check'], []]) {
      const { code, output } = await start('node', ['--store', 'embedded:', '--data', '/proc/x', ...flags])
      assert.equal(code, 2, output)
      assert.match(
        output,
        /^error: [^\n]*: dev\.data: "\/proc\/x" cannot be made: "\/proc" is of the kernel, which keeps no files there: name another folder with --data\n$/,
      )
    }
  })

  for (const runtime of ['node', 'workerd'] as const)
    it(`on ${runtime} says what to write in place of an older form, and takes it`, async (context) => {
      const { workers, env: _env, ...top } = configFile
      const { jobs: _jobs, ...vars } = workers.admin.vars
      const crons = { compact: '5 * * * *' }
      const services = { ...workers, admin: { ...workers.admin, vars, triggers: { crons } } }
      const file = join(await temporaryFolder(context), 'config.json')
      await writeFile(file, JSON.stringify({ ...top, services }))
      const { code, output } = await start(runtime, ['--config', file, '--check-offline'])
      assert.equal(code, 0, output)
      assert.match(output, /^notice: [^\n]*: write "workers" in place of "services";/m)
      assert.match(output, /^notice: [^\n]*: write workers\.admin\.triggers\.crons as a list/m)
    })

  for (const runtime of ['node', 'deno', 'bun', 'workerd'] as const) {
    it(`on ${runtime} tells all that is wrong and exits 2`, async (context) => {
      const { admin } = configFile.workers
      const vars = { ...configFile.vars, logLevel: 'loud' }
      const workers = { ...configFile.workers, admin: { ...admin, vars: { events: { fligth: {} } } } }
      const file = join(await temporaryFolder(context), 'config.json')
      await writeFile(file, JSON.stringify({ ...configFile, vars, workers }))
      const { code, output } = await start(runtime, ['--config', file])
      assert.equal(code, 2, output)
      assert.equal(
        output,
        `error: ${file}:
  vars.logLevel: "loud" is not allowed here: use "debug", "info", "warn" or "error"
  workers.admin.vars.events.fligth: no schema has this event type: did you mean "flight"?
`,
      )
    })

    it(`on ${runtime} with --check asks the store, and exits 2 when it does not answer`, async () => {
      const store = `http://127.0.0.1:${await freePort()}`
      const { code, output } = await start(runtime, ['--check', '--store', store])
      assert.equal(code, 2, output)
      assert.match(output, /^error: wrangler-like\.config\.json: vars\.store: no answer from [^\n]*\n$/)
      assert.ok(output.includes(`${store}: the connection was refused`), output)
      const offline = await start(runtime, ['--check-offline', '--store', store])
      assert.equal(offline.code, 0, offline.output)
      assert.match(offline.output, /nothing is wrong .*; the store was not asked\n$/)
    })

    it(`on ${runtime} with --check starts nothing and exits 0 when nothing is wrong`, async () => {
      const { code, output } = await start(runtime, ['--check'])
      assert.equal(code, 0, output)
      assert.match(
        output,
        new RegExp(
          `^wrangler-like\\.config\\.json: nothing is wrong for rest, auth, admin, monitoring, runs on ${runtime}[^\\n]*\\n$`,
        ),
      )
    })
  }
})
