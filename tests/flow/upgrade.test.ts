/**
 * An upgrade from the version before (`upgrade/make.ts` says which, and how its program, store and configuration were had): the store and
 * the configuration are taken over, places hold, and both versions run side by side on one etcd.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { startServer, temporaryFolder, type RuntimeName } from '../support/server.ts'
import { eventually, within } from '../support/waiting.ts'
import { publishFlight, readLines } from './upgrade/ask.ts'
import before from './upgrade/expected.json' with { type: 'json' }

const FIXTURE = fileURLToPath(new URL('upgrade/', import.meta.url))
const CONFIG = join(FIXTURE, 'config.json')
const WATCH = '/api/v1/watch?event=flight'
/** Not the admin service: what is older than its retention would be deleted. */
const SERVICES = ['rest', 'auth']
const NEXT = 13

describe('an upgrade', { timeout: 120_000 }, () => {
  for (const runtime of ['node', 'deno', 'bun'] as const)
    it(`takes over the store and the configuration of before on ${runtime}, and places hold`, async (context) => {
      const folder = await temporaryFolder(context)
      await copyData(folder)
      const server = await start(context, { runtime, folder })
      assert.match(server.output(), /^notice: [^\n]*: write "workers" in place of "services"/m)
      assert.deepEqual(await readLines(`${server.url}${WATCH}&from_id=1`), before.lines)
      for (const [index, { cursor }] of before.lines.entries()) {
        const rest = await readLines(`${server.url}${WATCH}&from=${encodeURIComponent(cursor)}`)
        assert.deepEqual(rest, before.lines.slice(index + 1))
      }
      // A provider that does not know whether it was stored sends it again: it was, before.
      assert.equal(await publishFlight(server.url, 1), 'flight@1')
      assert.equal(await publishFlight(server.url, NEXT), `flight@${NEXT}`)
      assert.equal(await within('the end', server.stop()), 0, server.output())
    })

  it('backs up a store of older tables before it carries it over, once, and the backup is whole', async (context) => {
    const folder = await temporaryFolder(context)
    const old = fileURLToPath(new URL('../unit/shared/store/embedded/version_1.sqlite', import.meta.url))
    await copyFile(old, join(folder, 'aviso.sqlite'))
    await chmod(join(folder, 'aviso.sqlite'), 0o600)
    const server = await start(context, { folder })
    await server.stop()
    const backup = join(folder, 'aviso.version-1.sqlite')
    assert.match(
      server.output(),
      /"The store is of an older version: it is backed up, and carried over","backup":"[^"]*version-1/,
    )
    const restored = join(await temporaryFolder(context), 'restored')
    await mkdir(restored, { mode: 0o700 })
    await copyFile(backup, join(restored, 'aviso.sqlite'))
    const again = await start(context, { folder: restored })
    await again.stop()
    assert.match(again.output(), /"The store was carried over","events":[1-9]/)
    const next = await start(context, { folder })
    assert.doesNotMatch(next.output(), /backed up/)
    await next.stop()
  })
})

describe('the version before beside this one', { skip: await etcdMissing(), timeout: 60_000 }, () => {
  it('has the same numbers, order and places on one etcd', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.stop())
    const folder = await temporaryFolder(context)
    const urls = [
      await startBefore(context, folder, etcd.store),
      (await start(context, { folder, flags: ['--store', etcd.store] })).url,
    ] as const
    for (const url of urls)
      await eventually('it is ready', async () => (await fetch(`${url}/ready`)).status === 200)
    for (let number = 1; number <= NEXT; number++)
      assert.equal(await publishFlight(urls[number % 2] ?? urls[0], number), `flight@${number}`)
    // What one has stored, the other knows when it is sent again.
    for (const url of urls) assert.equal(await publishFlight(url, 2), 'flight@2')
    const [told, same] = await Promise.all(urls.map((url) => readLines(`${url}${WATCH}&from_id=1`)))
    assert.equal(told?.length, NEXT)
    assert.deepEqual(same, told)
    const { cursor = '' } = told?.[5] ?? {}
    for (const url of urls)
      assert.deepEqual(await readLines(`${url}${WATCH}&from=${encodeURIComponent(cursor)}`), told?.slice(6))
  })
})

async function copyData(folder: string): Promise<void> {
  await cp(join(FIXTURE, 'data'), folder, { recursive: true })
}

interface Start {
  readonly runtime?: RuntimeName
  readonly folder: string
  readonly flags?: readonly string[]
}

async function start(
  context: TestContext,
  { runtime = 'node', folder, flags = [] }: Start,
): ReturnType<typeof startServer> {
  const server = await startServer({
    runtime,
    arguments: [...SERVICES, '--config', CONFIG, '--data', folder, ...flags],
  })
  context.after(() => server.stop('SIGKILL'))
  await eventually('it is ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  return server
}

/** Starts the program of the version before. @returns its address */
async function startBefore(context: TestContext, folder: string, store: string): Promise<string> {
  const program = join(folder, 'before.mjs')
  await writeFile(program, gunzipSync(await readFile(join(FIXTURE, 'program.mjs.gz'))))
  const argv = [program, ...SERVICES, '--config', CONFIG, '--port', '0', '--store', store]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...argv], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  context.after(() => void child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^Listening on (\S+)/.exec(line)?.[1]
    if (url !== undefined) return url
  }
  throw new Error('It did not start')
}
