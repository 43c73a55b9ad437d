/** Unix sockets, and sockets that the service manager opens before the start, on each runtime. */

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it, type TestContext } from 'node:test'

import config from '../../wrangler-like.config.json' with { type: 'json' }
import { outputOf } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { serveCommand, temporaryFolder, type RuntimeName } from '../support/server.ts'
import { eventually, within } from '../support/waiting.ts'

/** What systemd does: it listens, and starts the program with the sockets from 3 on. */
const MANAGER = `
import os, socket, sys
path, names, count, *program = sys.argv[1:]
sockets = []
for number in range(int(count)):
    if path == '' or number > 0:
        one = socket.socket()
        one.bind(('127.0.0.1', 0))
    else:
        one = socket.socket(socket.AF_UNIX)
        one.bind(path)
    one.listen(64)
    sockets.append(one)
print(' '.join(str(one.getsockname()[1]) if one.family == socket.AF_INET else path for one in sockets), flush=True)
high = [os.dup2(os.dup(one.fileno()), 100 + number) for number, one in enumerate(sockets)]
for number, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + number, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=count, LISTEN_FDNAMES=names)
os.execv(program[0], program)
`

const RUNTIMES = ['node', 'deno', 'bun'] as const
const noPython = await missing(() => outputOf('python3', ['--version']))

describe('a Unix socket', { timeout: 60_000 }, () => {
  for (const runtime of RUNTIMES)
    it(`is listened on by ${runtime} in place of the port, over one that was left behind`, async (context) => {
      const { file, path } = await withSocket(context)
      const first = start(context, runtime, ['--config', file])
      await first.says(`Listening on unix:${path}`)
      assert.equal(statSync(path).mode & 0o777, 0o660)
      assert.equal((await ask({ socketPath: path }, '/readyz')).status, 200)
      const second = start(context, 'node', ['--config', file])
      assert.equal(await second.exited, 2)
      assert.match(second.output(), /^error: [^\n]*: dev\.socket: "[^\n]*" is in use [^\n]*\n$/)
      first.child.kill('SIGKILL')
      await first.exited
      assert.ok(statSync(path).isSocket(), 'it was left behind')
      const third = start(context, runtime, ['--config', file])
      await third.says(`Listening on unix:${path}`)
      const { status, text } = await ask({ socketPath: path }, '/api/v1/schema')
      assert.equal(status, 200, text)
      third.child.kill('SIGTERM')
      assert.equal(await within('the end', third.exited), 0, third.output())
      assert.throws(() => statSync(path), { code: 'ENOENT' })
    })

  it('is refused in one line where it cannot be, and nothing is taken away', async (context) => {
    const { folder } = await withSocket(context)
    const file = join(folder, 'a_file')
    await writeFile(file, 'kept')
    for (const [socket, told] of [
      [join(folder, 'none', 'aviso.sock'), /dev\.socket: the folder of "[^"]*" is missing: make it/],
      [file, /dev\.socket: "[^"]*a_file" is in use by another program, or no socket/],
      [`/${'a'.repeat(120)}`, /dev\.socket: .*at most 107 bytes/],
    ] as const) {
      const { exited, output } = start(context, 'node', ['--config', await configWith(folder, socket)])
      assert.equal(await exited, 2)
      assert.match(output(), told)
      assert.equal(output().trim().split('\n').length, 1, output())
    }
    assert.equal(statSync(file).size, 4)
    const { exited, output } = start(context, 'node', [
      '--workers',
      '2',
      '--config',
      await configWith(folder, join(folder, 's')),
    ])
    assert.equal(await exited, 2)
    assert.match(output(), /--workers: a Unix socket has one listener/)
  })
})

describe('sockets of the service manager', { skip: noPython, timeout: 60_000 }, () => {
  for (const runtime of ['node', 'deno'] as const)
    it(`are taken over by ${runtime}, each for the service of its name`, async (context) => {
      const path = join(await temporaryFolder(context), 'aviso.sock')
      const managed = manage(context, { runtime, path, names: 'aviso:auth', count: 2 })
      await managed.says('Listen: ')
      const [, port = ''] = managed.output().split('\n')[0]?.split(' ') ?? []
      assert.equal((await ask({ socketPath: path }, '/api/v1/notification', 'POST')).status, 400)
      const listening = { host: '127.0.0.1', port: Number(port) }
      assert.equal((await ask(listening, '/api/v1/schema')).status, 200)
      assert.equal((await ask(listening, '/api/v1/notification', 'POST')).status, 404)
      managed.child.kill('SIGTERM')
      assert.equal(await within('the end', managed.exited), 0, managed.output())
    })

  it('are shared by workers', async (context) => {
    const managed = manage(context, {
      runtime: 'node',
      path: '',
      names: '',
      count: 1,
      flags: ['--workers', '2'],
    })
    await managed.says('Listen: ')
    const port = Number(managed.output().split('\n')[0])
    for (let asked = 0; asked < 8; asked++)
      assert.equal((await ask({ host: '127.0.0.1', port }, '/readyz')).status, 200)
    managed.child.kill('SIGTERM')
    assert.equal(await within('the end', managed.exited), 0, managed.output())
  })

  it('are refused by Bun in one line', async (context) => {
    const managed = manage(context, { runtime: 'bun', path: '', names: '', count: 1 })
    assert.equal(await within('the end', managed.exited), 2, managed.output())
    assert.match(managed.output(), /\nerror: Bun cannot take the socket [^\n]*\n$/)
  })

  it('are not taken by a program that they are not for', async (context) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    const own = start(context, 'node', ['--port', String(port)], { LISTEN_PID: '1', LISTEN_FDS: '1' })
    await own.says(`Listening on http://127.0.0.1:${port}`)
  })
})

async function withSocket(context: TestContext): Promise<{ folder: string; file: string; path: string }> {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'aviso.sock')
  return { folder, path, file: await configWith(folder, path) }
}

let files = 0

async function configWith(folder: string, socket: string): Promise<string> {
  const file = join(folder, `config_${++files}.json`)
  await writeFile(file, JSON.stringify({ ...config, $schema: undefined, dev: { socket } }))
  return file
}

interface Started {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  output(): string
  says(text: string): Promise<void>
}

function start(
  context: TestContext,
  runtime: RuntimeName,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Started {
  return run(context, [...serveCommand(runtime), '--store', 'embedded:memory', ...flags], environment)
}

interface Managed {
  readonly runtime: RuntimeName
  /** Of the first socket; empty: a port. */
  readonly path: string
  readonly names: string
  readonly count: number
  readonly flags?: readonly string[]
}

function manage(context: TestContext, { runtime, path, names, count, flags = [] }: Managed): Started {
  const program = [...serveCommand(runtime), '--store', 'embedded:memory', ...flags]
  return run(context, ['python3', '-c', MANAGER, path, names, String(count), ...program], {})
}

function run(
  context: TestContext,
  [command = '', ...argv]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Started {
  const child = spawn(command, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment, npm_lifecycle_event: undefined },
  })
  context.after(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => (output += `${line}\n`))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    exited,
    output: () => output,
    says: (text) =>
      eventually(text, () => {
        assert.equal(child.exitCode, null, output)
        return output.includes(text)
      }),
  }
}

function ask(
  place: { readonly socketPath: string } | { readonly host: string; readonly port: number },
  path: string,
  method = 'GET',
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((done, failed) => {
    const sent = request(
      { ...place, path, method, agent: false, headers: { host: 'localhost' } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (piece: string) => (text += piece))
        answer.once('end', () => done({ status: answer.statusCode ?? 0, text }))
      },
    )
    sent.once('error', failed)
    sent.end()
  })
}
