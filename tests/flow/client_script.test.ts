/**
 * The listener in one file, `scripts/listen.mjs`, on every runtime that it is promised for.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { listen } from '../../scripts/listen.mjs'
import { answer, notificationFrame, openStream, scriptedService } from '../unit/scripts/aviso/fixture.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'node_modules/.bin')
const SCRIPT = join(ROOT, 'scripts/listen.mjs')
const OPENING = 'event: live-notification\ndata: {"type":"connection_established"}\nid: e.0\n\n'

describe('scripts/listen.mjs', () => {
  for (const [runtime, command] of [
    ['node', [process.execPath, SCRIPT]],
    ['deno', [join(BIN, 'deno'), 'run', '-A', '--no-check', '--quiet', SCRIPT]],
    ['bun', [join(BIN, 'bun'), SCRIPT]],
  ] as const) {
    it(`goes on exactly behind the last notification on ${runtime}, and ends when it is refused`, async (context) => {
      const service = await scriptedService(context, [
        (response) => {
          openStream(response)
          const half = notificationFrame(2).slice(0, -10)
          response.write(OPENING + notificationFrame(1) + half, () =>
            setTimeout(() => response.destroy(), 100),
          )
        },
        (response) => {
          openStream(response)
          response.end(notificationFrame(2) + notificationFrame(3))
        },
        (response) => answer(response, 410, { message: 'history is gone' }),
      ])
      const [program, ...args] = command
      const child = spawn(program, [...args, `${service.url}/api/v1/watch?event=flight`, 'e.before'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      context.after(() => void (child.exitCode === null && child.kill('SIGKILL')))
      const lines: string[] = []
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
      await once(child, 'close')
      const got = lines.map((line) => JSON.parse(line) as { readonly id: string; readonly position: string })
      assert.deepEqual(
        got.map(({ id, position }) => `${id} ${position}`),
        ['flight@1 e.1.0', 'flight@2 e.2.0', 'flight@3 e.3.0'],
      )
      assert.deepEqual(
        service.asked.map(({ headers }) => headers['last-event-id']),
        ['e.before', 'e.1.0', 'e.3.0'],
      )
      assert.notEqual(child.exitCode, 0)
    })
  }

  it('refuses to guess an address', async () => {
    for (const words of [[], ['event=flight'], ['localhost:8080']]) {
      const child = spawn(process.execPath, [SCRIPT, ...words], { stdio: ['ignore', 'ignore', 'pipe'] })
      const [told] = await Promise.all([text(child.stderr), once(child, 'close')])
      assert.match(told, /^Usage: node listen\.mjs 'http:\/\/HOST:PORT/)
      assert.equal(child.exitCode, 2)
    }
  })

  it('sends a token, and ends with what a refusal says', async (context) => {
    const service = await scriptedService(context, [
      (response) => answer(response, 403, { message: 'You may not' }),
    ])
    const child = spawn(process.execPath, [SCRIPT, `${service.url}/api/v1/watch?event=flight`], {
      env: { ...process.env, AVISO_TOKEN: 'secret' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [told] = await Promise.all([text(child.stderr), once(child, 'close')])
    assert.match(told, /^Refused: 403 .*You may not/)
    assert.equal(child.exitCode, 1)
    assert.equal(service.asked[0]?.headers['authorization'], 'Bearer secret')
  })

  it('says why it cannot connect, and ends with its signal', async (context) => {
    context.mock.method(Math, 'random', () => 0)
    const stop = new AbortController()
    const lines: string[] = []
    const log = (line: string): void => {
      lines.push(line)
      stop.abort()
    }
    // Port 1 of loopback: nothing listens there.
    await listen('http://127.0.0.1:1/api/v1/watch?event=flight', () => undefined, {
      signal: stop.signal,
      log,
    })
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /^Interrupted \(fetch failed: .*(ECONNREFUSED|bad port)/)
  })

  it('passes over a notification that it cannot handle, after a few attempts', async (context) => {
    context.mock.method(Math, 'random', () => 0)
    context.mock.method(console, 'error', () => undefined)
    const service = await scriptedService(context, [
      (response, { headers }) => {
        if (headers['last-event-id'] === 'e.3.0') return answer(response, 410, { message: 'the end' })
        openStream(response)
        response.end(OPENING + notificationFrame(1) + notificationFrame(2) + notificationFrame(3))
      },
    ])
    const handled: string[] = []
    await assert.rejects(
      listen(`${service.url}/api/v1/watch?event=flight`, ({ id }) => {
        handled.push(id)
        if (id === 'flight@2') throw new Error('too much for me')
      }),
      /the end/,
    )
    assert.deepEqual(
      handled.filter((id) => id === 'flight@2'),
      Array.from({ length: 5 }, () => 'flight@2'),
    )
    assert.equal(handled.at(-1), 'flight@3')
  })
})
