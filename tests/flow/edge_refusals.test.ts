/** Mistakes in a configuration of workers: each is one line and exit code 2, and nothing is half started. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

import config from '../../wrangler-like.config.json' with { type: 'json' }
import { createAuthority, opensslMissing } from '../support/certificates.ts'
import { serveCommand, temporaryFolder, type RuntimeName } from '../support/server.ts'
import { within } from '../support/waiting.ts'

type Json = Readonly<Record<string, unknown>>
const { workers } = config

/** What is wrong, and what is told. */
const MISTAKES: readonly (readonly [what: string, change: Json, flags: readonly string[], told: RegExp])[] = [
  [
    'a typo in an environment that is not asked for',
    { env: { prod: { vars: { stroe: 'embedded:' } } } },
    [],
    /env\.prod\.vars\.stroe: .*did you mean "store"/,
  ],
  [
    'a typo in the environment that is asked for',
    { workers: { ...workers, auth: { ...workers.auth, env: { prod: { vars: { maxStream: 5 } } } } } },
    ['--env', 'prod'],
    /workers\.auth\.env\.prod\.vars\.maxStream: .*did you mean "maxStreams"/,
  ],
  [
    'a worker in an environment of all',
    { env: { prod: { workers: { auth: { vars: { maxStreams: 5 } } } } } },
    [],
    /env\.prod\.workers: an environment of a worker is in the worker, as in wrangler: write workers\.WORKER\.env\.prod/,
  ],
  ['an environment that is no object', { env: { prod: 5 } }, [], /env\.prod: expected an object/],
  [
    'an environment that is not there',
    { env: { prod: {} } },
    ['--env', 'prdo'],
    /no environment "prdo" under env: known are prod/,
  ],
  [
    'a key of a worker with a typo',
    { workers: { ...workers, rest: { ...workers.rest, rotues: [] } } },
    [],
    /workers\.rest\.rotues: .*did you mean "routes"/,
  ],
  [
    'a module that is missing',
    { workers: { ...workers, rest: { ...workers.rest, main: 'mine.mjs' } } },
    [],
    /workers\.rest\.main: "mine\.mjs" is not there: name a module/,
  ],
  [
    'two workers with one route',
    {
      workers: {
        ...workers,
        admin: { ...workers.admin, routes: ['/api/v1/admin/*', '/api/v1/admin/streams'] },
      },
    },
    [],
    /workers\.admin\.routes\.1: "\/api\/v1\/admin\/streams" is taken by workers\.auth\.routes\.\d+ already/,
  ],
  [
    'a binding that no worker provides',
    {
      workers: {
        ...workers,
        rest: { ...workers.rest, services: [{ binding: 'LISTEN', service: 'aviso-auht' }] },
      },
    },
    [],
    /workers\.rest\.services\.0\.service: .*"aviso-auht": .*"aviso-auth"/,
  ],
  [
    'a cron with seconds',
    cronOf('0 0 * * * *'),
    [],
    /workers\.admin\.triggers\.crons\.2: "0 0 \* \* \* \*" does not fit\. A schedule is a cron of five fields/,
  ],
  ['a cron in words', cronOf('@hourly'), [], /workers\.admin\.triggers\.crons\.2: "@hourly" does not fit/],
  ['a cron that runs nothing', cronOf('5 5 * * *'), [], /triggers\.crons\.2: "5 5 \* \* \*" runs no job/],
]

describe('a start with a mistake', { timeout: 60_000, concurrency: 4 }, () => {
  for (const [what, change, flags, told] of MISTAKES)
    it(`${what}: one line, exit code 2, and no store`, async (context) => {
      const { code, lines, hasStore } = await start(context, change, flags)
      assert.equal(code, 2, lines.join('\n'))
      assert.equal(lines.length, 1, lines.join('\n'))
      assert.match(lines[0] ?? '', told)
      assert.ok(!hasStore)
    })

  it('several workers, or a Unix socket, on workerd: one line each', async (context) => {
    const socket = join(await temporaryFolder(context), 's')
    const { code, lines } = await start(context, { dev: { socket } }, ['--workers', '2'], {
      runtime: 'workerd',
    })
    assert.equal(code, 2)
    assert.equal(lines.length, 3, lines.join('\n'))
    assert.match(lines.join('\n'), /--workers: workerd runs all services in one process/)
    assert.match(lines.join('\n'), /dev\.socket: workerd is started at a port/)
  })

  it('no room for the sockets between workers: one line', async (context) => {
    for (const [TMPDIR, told] of [
      [`/tmp/${'a'.repeat(80)}`, /--workers: the path "[^"]*" is too long for sockets/],
      ['/tmp/none/there', /--workers: no folder can be made in "\/tmp\/none\/there"/],
    ] as const) {
      const { code, lines, hasStore } = await start(context, {}, ['--workers', '2'], {
        environment: { TMPDIR },
      })
      assert.equal(code, 2)
      assert.equal(lines.length, 1, lines.join('\n'))
      assert.match(lines[0] ?? '', told)
      assert.ok(!hasStore)
    }
  })

  it('a port of one service in use: one line for it with several workers, too', async (context) => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    context.after(() => void taken.close())
    const { port } = taken.address() as AddressInfo
    const own = { workers: { ...workers, auth: { ...workers.auth, dev: { port } } } }
    for (const flags of [[], ['--workers', '3']]) {
      const { code, lines, hasStore } = await start(context, own, flags)
      assert.equal(code, 2)
      assert.equal(lines.length, 1)
      assert.match(
        lines[0] ?? '',
        new RegExp(`workers\\.auth\\.dev\\.port: port ${port} of 127\\.0\\.0\\.1 is in use`),
      )
      assert.ok(!hasStore)
    }
  })
})

describe('a start with certificates', { skip: await opensslMissing(), timeout: 60_000 }, () => {
  it('that expired, do not match, or are open to all: one line each', async (context) => {
    const folder = await temporaryFolder(context)
    const authority = await createAuthority(folder)
    const own = await authority.issue('own')
    const other = await authority.issue('other')
    const expired = await authority.issue('expired', '-days', '-1')
    const open = join(folder, 'open.key')
    await copyFile(own.key, open)
    await chmod(open, 0o644)
    for (const [storeTls, told] of [
      [expired, /vars\.storeTls\.certificate: .*expired\.pem" .*(?:expired|was valid until)/],
      [{ ...own, key: other.key }, /vars\.storeTls\.key: the key in ".*other\.key" is not that of/],
      [
        { ...own, key: open },
        /vars\.storeTls\.key: everybody on this machine may read ".*open\.key": chmod 600 it/,
      ],
    ] as const) {
      const vars = { ...config.vars, store: 'https://127.0.0.1:1', storeTls }
      const { code, lines } = await start(context, { vars }, [])
      assert.equal(code, 2, lines.join('\n'))
      assert.equal(lines.length, 1, lines.join('\n'))
      assert.match(lines[0] ?? '', told)
    }
  })
})

/** The schedules of the admin service, and one more. */
function cronOf(cron: string): Json {
  const { admin } = workers
  return {
    workers: { ...workers, admin: { ...admin, triggers: { crons: [...admin.triggers.crons, cron] } } },
  }
}

interface Ended {
  readonly code: number | null
  readonly lines: readonly string[]
  readonly hasStore: boolean
}

interface On {
  readonly runtime?: RuntimeName
  readonly environment?: Readonly<Record<string, string>>
}

async function start(
  context: TestContext,
  change: Json,
  flags: readonly string[],
  { runtime = 'node', environment = {} }: On = {},
): Promise<Ended> {
  const folder = await temporaryFolder(context)
  const file = join(folder, 'aviso.json')
  const data = join(folder, 'data')
  await writeFile(file, JSON.stringify({ ...config, $schema: undefined, ...change }))
  const [program, ...prefix] = serveCommand(runtime)
  const argv = [...prefix, ...flags, '--config', file, '--data', data, '--port', '0']
  const child = spawn(program, argv, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...environment },
  })
  context.after(() => void child.kill('SIGKILL'))
  let output = ''
  child.stderr.on('data', (text) => (output += String(text)))
  const [code] = (await within('its end', once(child, 'close'))) as [number | null]
  return { code, lines: output.trim().split('\n'), hasStore: existsSync(data) }
}
