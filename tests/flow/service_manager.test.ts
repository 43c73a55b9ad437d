/** systemd's protocol on each runtime: a datagram socket takes what `systemd-notify` sends for the services. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'
import { outputOf } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { startServer, temporaryFolder, type RuntimeName } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

/** It prints each message on a line. A message may have a descriptor with it, which is closed by not being taken: the sender waits for that. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(receiver.recv(65536).decode().replace('\\n', ' ').strip(), flush=True)
`

const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun']
const skip = await missing(async () => {
  await outputOf('python3', ['--version'])
  await outputOf('systemd-notify', ['--version'])
})

describe('a service that systemd runs', { skip, timeout: 60_000 }, () => {
  for (const runtime of RUNTIMES) {
    it(`tells systemd of its start, reload, life and end on ${runtime}`, async (context) => {
      const { path, messages } = await receive(context)
      const server = await startServer({
        runtime,
        arguments: ['--store', 'embedded:memory'],
        environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' },
      })
      context.after(() => server.stop('SIGKILL'))
      const told = (what: string): Promise<void> =>
        eventually(what, () => messages.some((message) => message.startsWith(what)))
      await told('READY=1 STATUS=Listening')
      await told('WATCHDOG=1')
      server.child.kill('SIGHUP')
      await told('RELOADING=1')
      await eventually(
        'ready again',
        () => messages.filter((text) => text.startsWith('READY=1')).length === 2,
      )
      assert.equal(await server.stop(), 0)
      await told('STOPPING=1 STATUS=Finishing writes and ending streams EXTEND_TIMEOUT_USEC=15000000')
      assert.ok(!server.output().includes('service manager'), server.output())
    })
  }
})

async function receive(context: TestContext): Promise<{ path: string; messages: readonly string[] }> {
  const path = join(await temporaryFolder(context), 'notify')
  const child = spawn('python3', ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  context.after(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const messages: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => messages.push(line))
  await eventually('the socket is there', () => messages.includes('bound'))
  return { path, messages }
}
