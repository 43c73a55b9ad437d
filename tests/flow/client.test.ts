/**
 * The client as its users run it: a child process against a scripted service.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  answer,
  notificationFrame,
  openStream,
  scriptedService,
  type Asked,
} from '../unit/scripts/aviso/fixture.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FLIGHT = 'event=flight,country=Italy,airport=fco,date=20210101,number=AZ203'

interface Client {
  readonly home: string
  readonly child: ReturnType<typeof spawn>
  /** Resolves when the text has come on stdout or stderr. */
  says(text: string): Promise<void>
  ended(): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

async function temporaryHome(context: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(home, { recursive: true, force: true }))
  return home
}

/** Starts the client with a home of its own, so that nothing of the machine's user counts. */
function start(
  context: TestContext,
  home: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Client {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(ROOT, 'scripts/aviso.ts'), ...args],
    {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  context.after(() => void (child.exitCode === null && child.kill('SIGKILL')))
  let stdout = ''
  let stderr = ''
  let changed = Promise.withResolvers<void>()
  const note = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  child.stdout.on('data', (chunk) => ((stdout += String(chunk)), note()))
  child.stderr.on('data', (chunk) => ((stderr += String(chunk)), note()))
  const closed = once(child, 'close').then(note)
  return {
    home,
    child,
    async says(text) {
      while (!`${stdout}\n${stderr}`.includes(text)) {
        if (child.exitCode !== null) throw new Error(`It ended without "${text}":\n${stdout}\n${stderr}`)
        await changed.promise
      }
    },
    async ended() {
      await closed
      return { code: child.exitCode, stdout, stderr }
    },
  }
}

async function run(context: TestContext, args: readonly string[], environment?: Record<string, string>) {
  return start(context, await temporaryHome(context), args, environment).ended()
}

/** A service with a schema, and streams that `stream` writes. */
async function serviceWith(
  context: TestContext,
  stream: (response: ServerResponse, asked: Asked, count: number) => void,
) {
  let streams = 0
  return scriptedService(context, [
    (response, asked) => {
      if (asked.url.pathname === '/api/v1/schema/flight')
        return answer(response, 200, { schema: { payload: { name: 'payload' } } })
      if (asked.url.pathname !== '/api/v1/watch') return answer(response, 404, { message: 'Not found' })
      stream(response, asked, ++streams)
    },
  ])
}

async function listenerFile(home: string, triggers: string): Promise<string> {
  const path = join(home, 'listener.yaml')
  await writeFile(
    path,
    `listeners:\n  - event: flight\n    request: {country: Italy}\n    triggers: ${triggers}\n`,
  )
  return path
}

async function savedCursor(home: string): Promise<string | undefined> {
  const folder = join(home, '.aviso/state')
  const [name] = (await readdir(folder)).filter((entry) => entry.endsWith('.json'))
  return name === undefined
    ? undefined
    : (JSON.parse(await readFile(join(folder, name), 'utf8')) as { readonly cursor: string }).cursor
}

describe('aviso key', () => {
  for (const [args, code, text] of [
    [['key', FLIGHT], 0, '/tmp/aviso/flight/20210101/italy/FCO/AZ203'],
    [
      ['key', 'event=flight,country=Italy,airport=fco,date=20210101'],
      255,
      'Wrong parameters: number required',
    ],
    [['key', `${FLIGHT},payload=Landed`], 255, 'Key payload is not allowed'],
    [['key', 'country=Italy,date=20210101'], 255, "Invalid notification, 'event' could not be located"],
    [
      ['key', 'event=flight2,date=20210101'],
      255,
      'Invalid notification, flight2 could not be located in the schema',
    ],
    [
      ['key', 'event=flight'],
      255,
      'Wrong structure for the notification string, it should be <key_name>=<key_value>,...',
    ],
    [['key', 'event=flight', '--no-fail'], 0, 'Wrong structure'],
    [['key'], 2, "error: Missing argument 'PARAMS'"],
    [['keys', FLIGHT], 2, '(Did you mean key?)'],
    [['key', FLIGHT, '--frm', 'x'], 2, "error: unknown option '--frm'"],
    [['key', FLIGHT, '--test'], 2, '--test is not supported'],
    [['key', FLIGHT, '-c', 'nope.yaml'], 255, 'There is no configuration file nope.yaml'],
    [['--version'], 0, 'aviso 0.'],
  ] as const) {
    it(`${args.join(' ')} ends with ${code}`, async (context) => {
      const result = await run(context, args)
      assert.equal(result.code, code)
      const [said, silent] =
        code === 0 && !args.join(' ').includes('--no-fail')
          ? [result.stdout, result.stderr]
          : [result.stderr, result.stdout]
      assert.ok(said.includes(text), said)
      assert.equal(silent, '')
    })
  }

  it('uses the schema of the user', async (context) => {
    const home = await temporaryHome(context)
    const schema = {
      payload: 'where',
      boat: {
        endpoint: [{ engine: ['etcd_rest'], base: '/boats', stem: '{name}' }],
        request: { name: [{ type: 'StringHandler', canonic: 'lower' }] },
      },
    }
    await mkdir(join(home, '.aviso/service_configuration'), { recursive: true })
    await writeFile(
      join(home, '.aviso/service_configuration/event_listener_schema.json'),
      JSON.stringify(schema),
    )
    const { stdout } = await start(context, home, ['key', 'event=boat,name=Vasa']).ended()
    assert.equal(stdout, '/boats/vasa\n')
  })
})

describe('aviso notify', () => {
  it('publishes and prints Done, with one id however often it must try', async (context) => {
    const service = await scriptedService(context, [
      (response) => answer(response, 503, { message: 'Busy' }, { 'retry-after': '0' }),
      (response) => response.destroy(),
      (response) => answer(response, 200, { status: 'success', id: 'flight@1' }),
    ])
    const { code, stdout } = await run(context, ['notify', `${FLIGHT},payload=Landed,ttl=60`], {
      AVISO_BASE_URL: service.url,
    })
    assert.equal(code, 0)
    assert.match(stdout, /^Done\n/)
    const events = service.asked.map(
      ({ body }) => JSON.parse(body) as { readonly id: string; readonly data: unknown },
    )
    assert.equal(events.length, 3)
    assert.equal(new Set(events.map(({ id }) => id)).size, 1)
    assert.deepEqual(events[0]?.data, {
      event: 'flight',
      request: { country: 'Italy', airport: 'fco', date: '20210101', number: 'AZ203' },
      payload: 'Landed',
      ttl: '60',
    })
    assert.equal(service.asked[0]?.headers['content-type'], 'application/cloudevents+json')
  })

  it('prints what the service refuses, and does not try again', async (context) => {
    const service = await scriptedService(context, [
      (response) => answer(response, 400, { message: 'Key day is not allowed' }),
    ])
    const { code, stdout, stderr } = await run(context, ['notify', FLIGHT], { AVISO_BASE_URL: service.url })
    assert.deepEqual(
      [code, stdout, stderr],
      [255, '', 'Not able to notify: status 400, Key day is not allowed\n'],
    )
    assert.equal(service.asked.length, 1)
  })

  it('sends its credentials', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    const home = await temporaryHome(context)
    await writeFile(join(home, 'key'), 'secret\n')
    const port = new URL(service.url).port
    for (const [type, authorization] of [
      ['ecmwf', 'Bearer secret'],
      ['openid', 'Bearer secret'],
      ['plain', `Basic ${btoa('joe:secret')}`],
    ] as const) {
      const args = ['notify', FLIGHT, '-k', 'key', '-u', 'joe', '-H', '127.0.0.1', '-P', port]
      assert.equal((await start(context, home, args, { AVISO_AUTH_TYPE: type }).ended()).code, 0)
      const { headers } = service.asked.at(-1) ?? {}
      assert.deepEqual([headers?.authorization, headers?.['x-auth-type']], [authorization, type])
    }
    const withToken = { AVISO_BASE_URL: service.url, AVISO_TOKEN: 'abc' }
    assert.equal((await start(context, home, ['notify', FLIGHT], withToken).ended()).code, 0)
    assert.equal(service.asked.at(-1)?.headers.authorization, 'Bearer abc')
    await start(context, home, ['notify', FLIGHT, '--token-file', 'key'], withToken).ended()
    const { headers } = service.asked.at(-1) ?? {}
    assert.deepEqual([headers?.authorization, headers?.['x-auth-type']], ['Bearer secret', undefined])
    const missing = await start(context, home, ['notify', FLIGHT, '-k', 'nope'], {
      AVISO_AUTH_TYPE: 'ecmwf',
    }).ended()
    assert.deepEqual(
      [missing.code, missing.stderr],
      [255, 'Cannot read the key_file nope: there is no such file\n'],
    )
  })
})

describe('aviso value', () => {
  it('prints the stored value with 0, or None with 1', async (context) => {
    const service = await scriptedService(context, [
      (response) =>
        answer(response, 200, {
          header: {},
          kvs: [{ key: btoa('k'), value: btoa('x'.repeat(9000)) }],
          count: '1',
        }),
      (response) => answer(response, 200, { header: {} }),
    ])
    const found = await run(context, ['value', FLIGHT], { AVISO_BASE_URL: service.url })
    assert.deepEqual([found.code, found.stdout], [0, `${'x'.repeat(9000)}\n`])
    assert.deepEqual(JSON.parse(service.asked[0]?.body ?? ''), {
      key: btoa('/tmp/aviso/flight/20210101/italy/FCO/AZ203'),
    })
    const missing = await run(context, ['value', FLIGHT], { AVISO_BASE_URL: service.url })
    assert.deepEqual([missing.code, missing.stdout], [1, 'None\n'])
  })
})

describe('aviso listen', () => {
  it('echoes, survives a cut, stops on a signal with 0, and goes on where it was', async (context) => {
    const service = await serviceWith(context, (response, { headers }, count) => {
      openStream(response)
      if (count === 1)
        response.write(notificationFrame(1) + notificationFrame(2).slice(0, 50), () =>
          setImmediate(() => response.destroy()),
        )
      else response.write(notificationFrame(headers['last-event-id'] === 'e.1.0' ? 2 : 3))
    })
    const home = await temporaryHome(context)
    const file = await listenerFile(home, '[{type: echo}]')
    const environment = { AVISO_BASE_URL: service.url }
    const first = start(context, home, ['listen', file], environment)
    await first.says('"number": "AZ2"')
    first.child.kill('SIGTERM')
    const { code, stderr } = await first.ended()
    assert.equal(code, 0)
    assert.match(stderr, /^Listening to \/tmp\/aviso\/flight\/ at 127\.0\.0\.1:\d+\.\.\.$/m)
    assert.match(stderr, /^Connection lost to .*, trying again in \d+s\.\.\.$/m)
    assert.equal(stderr.match(/^Connected$/gm)?.length, 1)
    assert.equal(await savedCursor(home), 'e.2.0')
    const second = start(context, home, ['listen', file], environment)
    await second.says('"number": "AZ3"')
    second.child.kill('SIGINT')
    assert.equal((await second.ended()).code, 0)
    const third = start(context, home, ['listen', file, '--now'], environment)
    await third.says('"number": "AZ3"')
    third.child.kill('SIGTERM')
    await third.ended()
    const resumes = service.asked
      .filter(({ url }) => url.pathname === '/api/v1/watch')
      .map(({ headers }) => headers['last-event-id'])
    assert.deepEqual(resumes, [undefined, 'e.1.0', 'e.2.0', undefined])
  })

  it('ends with 1 when a command fails for good, and repeats that notification at the next start', async (context) => {
    const service = await serviceWith(context, (response, { headers }) => {
      openStream(response)
      response.write(
        headers['last-event-id'] === undefined
          ? notificationFrame(1) + notificationFrame(2)
          : notificationFrame(2),
      )
    })
    const home = await temporaryHome(context)
    const file = await listenerFile(
      home,
      `[{type: command, shell: true, command: 'test -e ready || test "$AVISO_SEQUENCE" = 1', retries: 0}, {type: echo}]`,
    )
    const { code, stdout, stderr } = await start(context, home, ['listen', file], {
      AVISO_BASE_URL: service.url,
    }).ended()
    assert.equal(code, 1)
    assert.match(stderr, /Trigger command failed for flight@2: the command ended with status 1/)
    assert.match(stdout, /AZ1/)
    assert.doesNotMatch(stdout, /AZ2/)
    assert.equal(await savedCursor(home), 'e.1.0')
    await writeFile(join(home, 'ready'), '')
    const again = start(context, home, ['listen', file], { AVISO_BASE_URL: service.url })
    await again.says('AZ2')
    again.child.kill('SIGTERM')
    assert.equal((await again.ended()).code, 0)
    assert.equal(await savedCursor(home), 'e.2.0')
  })

  it('waits for the running trigger when it is told to stop; a second signal ends both with 130', async (context) => {
    const service = await serviceWith(context, (response) => {
      openStream(response)
      response.write(notificationFrame(1))
    })
    const home = await temporaryHome(context)
    const file = await listenerFile(
      home,
      `[{type: command, shell: true, command: 'echo started; until test -e go; do sleep 0.05; done; echo finished'}]`,
    )
    const environment = { AVISO_BASE_URL: service.url }
    const patient = start(context, home, ['listen', file], environment)
    await patient.says('started')
    patient.child.kill('SIGTERM')
    await patient.says('SIGTERM: stopping')
    await writeFile(join(home, 'go'), '')
    const { code, stderr } = await patient.ended()
    assert.equal(code, 0)
    assert.match(stderr, /finished/)
    assert.equal(await savedCursor(home), 'e.1.0')
    await rm(join(home, 'go'))
    const hasty = start(context, home, ['listen', file, '--now'], environment)
    await hasty.says('started')
    hasty.child.kill('SIGINT')
    await hasty.says('SIGINT: stopping')
    hasty.child.kill('SIGINT')
    assert.equal((await hasty.ended()).code, 130)
    assert.equal(await savedCursor(home), undefined)
  })

  it('ends a look into the past when history is complete, and keeps no position', async (context) => {
    const service = await serviceWith(context, (response) => {
      openStream(response)
      const done = 'event: replay-control\ndata: {"type":"replay_completed"}\n\n'
      response.write(notificationFrame(1, { name: 'replay' }) + done)
    })
    const home = await temporaryHome(context)
    const file = await listenerFile(home, '[{type: echo}]')
    const args = ['listen', file, '--from', '2026-08-10T00:00:00.0Z', '--to', '2026-08-11T00:00:00.0Z']
    const { code, stdout } = await start(context, home, args, { AVISO_BASE_URL: service.url }).ended()
    assert.equal(code, 0)
    assert.match(stdout, /AZ1/)
    const watch = service.asked.find(({ url }) => url.pathname === '/api/v1/watch')
    assert.equal(watch?.url.searchParams.get('from_date'), '2026-08-10T00:00:00.000Z')
    await assert.rejects(readdir(join(home, '.aviso')), { code: 'ENOENT' })
  })

  it('refuses a gap with 255 and names the way on', async (context) => {
    const service = await serviceWith(context, (response) =>
      answer(response, 410, { message: 'History is gone', oldest_position: 'e.9' }),
    )
    const home = await temporaryHome(context)
    const file = await listenerFile(home, '[{type: echo}]')
    const { code, stderr } = await start(context, home, ['listen', file], {
      AVISO_BASE_URL: service.url,
    }).ended()
    assert.equal(code, 255)
    assert.match(stderr, /Notifications are missing: History is gone\. .*--on-gap continue/)
  })

  it('refuses a second listener with the same request', async (context) => {
    const home = await temporaryHome(context)
    const file = await listenerFile(home, '[{type: echo}]')
    const { code, stderr } = await start(context, home, ['listen', file, file]).ended()
    assert.equal(code, 255)
    assert.match(stderr, /already running with the same request/)
  })

  for (const [args, code, text] of [
    [['--from', '2019-20-01T00:00:00.0Z'], 2, '--from'],
    [['--from', '2099-01-01T00:00:00.0Z'], 255, 'from_date must be in the past'],
    [['--to', '2099-01-01T00:00:00.0Z'], 255, 'to_date must be in the past'],
    [['--to', '2020-01-01T00:00:00.0Z'], 255, 'from_date is required if to_date is defined'],
    [
      ['--from', '2020-01-02T00:00:00.0Z', '--to', '2020-01-01T00:00:00.0Z'],
      255,
      'to_date must be later than from_date',
    ],
    [['--now', '--from', '-3h'], 2, '--now starts with the next notification, and --from in the past'],
    [['--now', '--catchup'], 255, 'Only now or catchup can be specified at the same time'],
    [
      ['nofile.yaml'],
      255,
      "Not able to load listener file nofile.yaml,[Errno 2] No such file or directory: 'nofile.yaml'",
    ],
    [[], 255, 'Event listeners definition cannot be empty'],
  ] as const) {
    it(`listen ${args.join(' ')} ends with ${code}`, async (context) => {
      const result = await run(context, ['listen', ...args])
      assert.equal(result.code, code)
      assert.ok(result.stderr.includes(text), result.stderr)
    })
  }
})
