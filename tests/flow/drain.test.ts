/** SIGTERM and SIGHUP on each runtime: a drain that serves on, a second signal that does not wait, and npm. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import config from '../../wrangler-like.config.json' with { type: 'json' }
import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder, type RuntimeName, type TestServer } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually, within } from '../support/waiting.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun']

describe('a service that is stopped', { timeout: 120_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`serves on for drainSeconds on ${runtime}, and ends its streams meanwhile`, async (context) => {
      const server = await startDraining(context, { runtime, drainSeconds: 4 })
      const streams = [await watch(server), await watch(server)]
      const ended = server.stop()
      const notReady = {
        status: 'not_ready',
        backend_connected: true,
        reason: 'This service is being stopped',
      }
      await eventually('it is not ready', async () => (await readiness(server)).status === 503)
      // On a busy machine the first of them may have ended already.
      const { streams: _, ...body } = (await (await readiness(server)).json()) as Record<string, unknown>
      assert.deepEqual(body, notReady)
      const late = await watch(server)
      assert.equal(await publish(server, 'IN1'), 200)
      await late.next((event) => event.data.includes('IN1'))
      for (const events of [...streams, late]) {
        const last = (await events.rest()).at(-1)
        assert.equal(last?.event, 'connection-closing')
        assert.equal((JSON.parse(last.data) as { reason?: unknown }).reason, 'max_duration_reached')
      }
      assert.equal(await within('the end', ended), 0, server.output())
    })

    it(`ends at once at a second signal on ${runtime}`, async (context) => {
      const server = await startDraining(context, { runtime, drainSeconds: 600 })
      const ended = server.stop()
      await eventually('it is not ready', async () => (await readiness(server)).status === 503)
      server.child.kill('SIGTERM')
      assert.equal(await within('the end', ended), 1)
    })

    it(`does not wait at Ctrl-C on ${runtime}`, async (context) => {
      const server = await startDraining(context, { runtime, drainSeconds: 600 })
      assert.equal(await within('the end', server.stop('SIGINT')), 0)
    })
  }
})

describe('a service that npm runs', { timeout: 120_000 }, () => {
  it('reads its policy again at SIGHUP, and ends when SIGHUP has ended npm', async () => {
    const child = spawn('npm', ['start', '--', '--port', '0', '--store', 'embedded:memory'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => (output += `${line}\n`))
    const closed = once(child, 'close')
    await eventually('it listens', () => output.includes('Listening on'))
    const pid = Number(/, process (\d+)$/m.exec(output)?.[1])
    process.kill(pid, 'SIGHUP')
    await eventually('it has read the policy', () => output.includes('The policy was read again'))
    assert.equal(child.exitCode, null)
    child.kill('SIGHUP')
    // The output closes with the last process that has it.
    await within('the end of both', closed)
    assert.ok(output.includes('npm has ended: finishing writes'), output)
  })
})

async function startDraining(
  context: TestContext,
  { runtime, drainSeconds }: { readonly runtime: RuntimeName; readonly drainSeconds: number },
): Promise<TestServer> {
  const file = join(await temporaryFolder(context), 'config.json')
  await writeFile(file, JSON.stringify({ ...config, $schema: undefined, dev: { drainSeconds } }))
  const server = await startServer({
    runtime,
    arguments: ['--store', 'embedded:memory', '--config', file],
    // Under npm a signal that comes twice within 300 ms counts once.
    environment: { npm_lifecycle_event: undefined },
  })
  context.after(() => server.stop('SIGKILL'))
  await eventually('ready', async () => (await readiness(server)).status === 200)
  return server
}

function readiness({ url }: TestServer): Promise<Response> {
  return fetch(`${url}/readyz`)
}

async function watch({ url }: TestServer): Promise<ReturnType<typeof readEvents>> {
  const events = readEvents(await fetch(`${url}/api/v1/watch?event=flight&country=Italy`))
  await events.next()
  return events
}

async function publish({ url }: TestServer, number: string): Promise<number> {
  const answer = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({
      specversion: '1.0',
      id: number,
      source: '/tests',
      type: 'aviso',
      data: { event: 'flight', request: flight(number), payload: number },
    }),
  })
  await answer.body?.cancel()
  return answer.status
}
