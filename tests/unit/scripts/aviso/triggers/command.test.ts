import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createTrigger } from '../../../../../scripts/aviso/triggers/create_trigger.ts'
import { TriggerError } from '../../../../../scripts/aviso/triggers/trigger.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { never, notification, recordedOutput, triggerHost } from '../fixture.ts'
import { eventually } from '../../../../support/waiting.ts'

const NODE = `'${process.execPath}'`
/** Prints arguments, the variables of the notification, and its folder. */
const REPORT = `
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(AVISO_|AIRPORT|TRACEPARENT)/.test(name)))
console.log(JSON.stringify({ argv: process.argv.slice(2), environment, cwd: process.cwd() }))`
/** Writes down what the files hold that stand for values. */
const COPY = `
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
const [, , path] = process.argv
const read = (name) => readFileSync(name, 'utf8')
const { AVISO_PAYLOAD_JSON_FILE: payload, AVISO_NOTIFICATION_JSON_FILE: notification, AVISO_GIVEN_BY_FILE } = process.env
const mode = [path, dirname(path)].map((name) => (statSync(name).mode & 0o777).toString(8)).join(' ')
const copied = { path, argument: read(path), payload: read(payload), notification: read(notification), mode, by_file: AVISO_GIVEN_BY_FILE }
writeFileSync('copied', JSON.stringify(copied))`

async function folderWith(context: TestContext, name: string, content: string): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'aviso-test-')))
  context.after(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), content)
  return folder
}

interface Report {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
}

async function report(
  context: TestContext,
  options: object,
  input: ReceivedNotification = notification(),
  output = recordedOutput(),
): Promise<Report> {
  const folder = await folderWith(context, 'report.mjs', REPORT)
  await createTrigger({ type: 'command', working_dir: folder, ...options }, triggerHost(output)).run(
    input,
    never,
  )
  const line = output.logged.find(({ level, message }) => level === 'INFO' && message.startsWith('{'))
  return JSON.parse(line?.message ?? '') as Report
}

describe('command trigger', () => {
  it('runs a program with values as arguments, in its folder, with its environment', async (context) => {
    const { argv, environment, cwd } = await report(context, {
      command: `${NODE} report.mjs --date \${request.date} "--number=\${request.number}"`,
      environment: { AIRPORT: '${request.airport}' },
    })
    assert.deepEqual(argv, ['--date', '20210101', '--number=AZ203'])
    assert.equal(environment['AIRPORT'], 'FCO')
    assert.match(cwd, /aviso-test-/)
  })

  it("gives the provider's trace by the name that programs look for", async (context) => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const { environment } = await report(
      context,
      { command: `${NODE} report.mjs` },
      notification({ traceparent }),
    )
    assert.equal(environment['TRACEPARENT'], traceparent)
    const other = await report(context, { command: `${NODE} report.mjs` })
    assert.equal(other.environment['TRACEPARENT'], undefined)
  })

  it('gives the notification in the variables of the 2.x client', async (context) => {
    const { environment } = await report(context, { command: `${NODE} report.mjs` })
    assert.equal(environment['AVISO_EVENT_TYPE'], 'flight')
    assert.equal(environment['AVISO_SEQUENCE'], '7')
    assert.equal(environment['AVISO_IDENTIFIER_AIRPORT'], 'FCO')
    assert.equal(environment['AVISO_PAYLOAD_JSON'], '"Landed"')
    assert.deepEqual(JSON.parse(environment['AVISO_NOTIFICATION_JSON'] ?? ''), {
      event: 'flight',
      request: notification().request,
      payload: 'Landed',
    })
  })

  it('passes hostile payloads as plain text', async (context) => {
    const hostile = `'; touch pwned; $(touch pwned) \`touch pwned\` "a" \\ \n ünï`
    const { argv, environment, cwd } = await report(
      context,
      { command: `${NODE} report.mjs \${payload} x\${payload}y` },
      notification({ payload: hostile }),
    )
    assert.deepEqual(argv, [hostile, `x${hostile}y`])
    assert.equal(environment['AVISO_PAYLOAD_JSON'], JSON.stringify(hostile))
    assert.equal(existsSync(join(cwd, 'pwned')), false)
  })

  it('keeps hostile payloads from a shell too', async (context) => {
    const folder = await folderWith(context, 'x', '')
    const output = recordedOutput()
    const trigger = createTrigger(
      {
        type: 'command',
        working_dir: folder,
        shell: true,
        command: 'echo "$WHERE" | cat; echo $AVISO_IDENTIFIER_AIRPORT',
        environment: { WHERE: '${payload}' },
      },
      triggerHost(output),
    )
    await trigger.run(notification({ payload: '$(touch pwned)"; touch pwned; "' }), never)
    assert.deepEqual(
      output.logged.map(({ message }) => message),
      ['$(touch pwned)"; touch pwned; "', 'FCO'],
    )
    assert.equal(existsSync(join(folder, 'pwned')), false)
  })

  it('writes ${jsonpath} for the time of the run only', async (context) => {
    const folder = await folderWith(
      context,
      'copy.mjs',
      `import { copyFileSync } from 'node:fs'; copyFileSync(process.argv[2], 'copy'); console.log(process.argv[2])`,
    )
    const output = recordedOutput()
    await createTrigger(
      { type: 'command', working_dir: folder, command: `${NODE} copy.mjs \${jsonpath}` },
      triggerHost(output),
    ).run(notification(), never)
    assert.deepEqual(JSON.parse(await readFile(join(folder, 'copy'), 'utf8')), {
      event: 'flight',
      request: notification().request,
      payload: 'Landed',
    })
    assert.equal(existsSync(output.logged[0]?.message ?? ''), false)
  })

  it('fails with status and last words, whatever was printed before', async () => {
    const output = recordedOutput()
    const trigger = createTrigger(
      { type: 'command', command: `${NODE} -e 'console.error("no disk"); process.exit(3)'` },
      triggerHost(output),
    )
    await assert.rejects(trigger.run(notification(), never), (error) => {
      assert.ok(error instanceof TriggerError && error.retryable)
      assert.equal(error.message, 'the command ended with status 3, its last words: no disk')
      return true
    })
    assert.deepEqual(output.logged, [{ level: 'WARNING', message: 'no disk' }])
  })

  it('succeeds with text on stderr and status 0, unlike 1.x', async () => {
    const trigger = createTrigger(
      { type: 'command', command: `${NODE} -e 'console.error("just a warning")'` },
      triggerHost(),
    )
    await trigger.run(notification(), never)
  })

  it('keeps at most 4 KiB of stderr', async () => {
    const trigger = createTrigger(
      {
        type: 'command',
        command: `${NODE} -e 'console.error("x\\n".repeat(9000) + "end"); process.exit(1)'`,
      },
      triggerHost(),
    )
    await assert.rejects(
      trigger.run(notification(), never),
      (error) => error instanceof Error && error.message.length < 4300 && error.message.endsWith('end'),
    )
  })

  it('ends the whole group at its time limit', async (context) => {
    const clock = createManualClock()
    const folder = await folderWith(
      context,
      'parent.mjs',
      `
      import { spawn } from 'node:child_process'
      import { writeFileSync } from 'node:fs'
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      writeFileSync('pid', String(child.pid))
      setInterval(() => {}, 1000)`,
    )
    const trigger = createTrigger(
      { type: 'command', working_dir: folder, command: `${NODE} parent.mjs`, timeout: '1.5' },
      { ...triggerHost(), clock },
    )
    const ending = assert.rejects(trigger.run(notification(), never), /ended after its time limit of 1\.5 s/)
    const readPid = (): Promise<string> => readFile(join(folder, 'pid'), 'utf8').catch(() => '')
    await eventually('the group stands', async () => (await readPid()) !== '')
    await clock.advance(1_500)
    await ending
    const pid = Number(await readPid())
    // A killed process stays visible until it is reaped; as a zombie it has no command line.
    const alive = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    assert.equal(alive, '')
  })

  it('is killed by the second stop signal', async () => {
    const kill = new AbortController()
    const output = { ...recordedOutput(), log: () => kill.abort() }
    const trigger = createTrigger(
      { type: 'command', command: `${NODE} -e 'console.log(1); setInterval(() => {}, 1000)'` },
      triggerHost(output),
    )
    await assert.rejects(
      trigger.run(notification(), kill.signal),
      (error) => error instanceof TriggerError && !error.retryable,
    )
  })

  it('does not wait for what a command leaves behind', async () => {
    const clock = createManualClock()
    const host = { ...triggerHost(), clock }
    const trigger = createTrigger({ type: 'command', shell: true, command: 'sleep 5 &' }, host)
    const running = trigger.run(notification(), never)
    await eventually('the command has ended, but not its output', async () => clock.timers === 2)
    await clock.advance(1_000)
    await running
    assert.equal(clock.timers, 0)
  })

  it('says what cannot be started, and does not try again', async (context) => {
    const folder = await folderWith(context, 'x', '')
    await chmod(join(folder, 'x'), 0o700)
    const program = createTrigger({ type: 'command', command: `'${folder}/x'` }, triggerHost())
    const inFolder = createTrigger({ type: 'command', command: 'true', working_dir: folder }, triggerHost())
    await rm(folder, { recursive: true })
    for (const [trigger, message] of [
      [program, /^cannot start .*\/x: spawn/],
      [inFolder, /^cannot start true: there is no folder /],
    ] as const) {
      await assert.rejects(
        trigger.run(notification(), never),
        (error) => error instanceof TriggerError && !error.retryable && message.test(error.message),
      )
    }
  })

  it('refuses a program that is not there, or may not be run, before anything comes', async (context) => {
    const folder = await folderWith(context, 'x', '')
    const host = triggerHost(recordedOutput(), { PATH: `/no/such:${folder}` })
    const create = (options: object): unknown => createTrigger({ type: 'command', ...options }, host)
    for (const [options, message] of [
      [{ command: 'nosuch a' }, /there is no program nosuch in the folders of PATH/],
      [{ command: 'x' }, /there is no program x in the folders of PATH/],
      [{ command: '/no/such/program' }, /there is no program \/no\/such\/program/],
      [{ command: './x', working_dir: folder }, /\.\/x may not be run: make it executable/],
      [{ command: 'true' }, /there is no program true/],
    ] as const)
      assert.throws(() => create(options), message)
    await chmod(join(folder, 'x'), 0o700)
    for (const options of [
      { command: 'x' },
      { command: './x', working_dir: folder },
      { command: 'true', environment: { PATH: '/bin:/usr/bin' } },
      { command: 'nosuch a | b', shell: true },
    ])
      assert.ok(create(options))
  })

  it('hands a payload with a NUL over as JSON text, and says so', async (context) => {
    const payload = 'a\0"b'
    const output = recordedOutput()
    const { argv, environment } = await report(
      context,
      {
        command: `${NODE} report.mjs \${payload} x\${request.airport}`,
        environment: { AIRPORT: '${payload}' },
      },
      notification({ payload }),
      output,
    )
    assert.deepEqual(argv, [JSON.stringify(payload), 'xFCO'])
    assert.equal(environment['AIRPORT'], JSON.stringify(payload))
    assert.equal(JSON.parse(environment['AVISO_PAYLOAD_JSON'] ?? ''), payload)
    assert.equal(environment['AVISO_GIVEN_AS_JSON'], 'payload')
    assert.match(
      output.logged.find(({ level }) => level === 'WARNING')?.message ?? '',
      /^Notification flight@7: has a NUL, so the command gets it as JSON text: payload$/,
    )
  })

  for (const [what, payload] of [
    ['120,000 characters', 'x'.repeat(120_000)],
    ['more bytes than characters', '€'.repeat(60_000)],
    ['300,000 characters and a NUL', `\0${'x'.repeat(300_000)}`],
  ] as const) {
    it(`hands a payload of ${what} over by a file, and removes the file`, async (context) => {
      const folder = await folderWith(context, 'copy.mjs', COPY)
      const output = recordedOutput()
      await createTrigger(
        { type: 'command', working_dir: folder, command: `${NODE} copy.mjs \${payload}` },
        triggerHost(output),
      ).run(notification({ payload }), never)
      const copied = JSON.parse(await readFile(join(folder, 'copied'), 'utf8')) as Record<string, string>
      assert.equal(copied['argument'], payload)
      assert.equal(JSON.parse(copied['payload'] ?? ''), payload)
      assert.equal((JSON.parse(copied['notification'] ?? '') as { payload: string }).payload, payload)
      assert.equal(copied['mode'], '600 700')
      assert.equal(copied['by_file'], 'payload AVISO_PAYLOAD_JSON AVISO_NOTIFICATION_JSON')
      assert.equal(existsSync(copied['path'] ?? ''), false)
      assert.ok(
        output.logged.some(
          ({ level, message }) => level === 'WARNING' && /too long for a command/.test(message),
        ),
      )
    })
  }

  it('starts where each value would go as it is, but not what is made of them', async (context) => {
    const payload = 'x'.repeat(90_000)
    const { argv } = await report(
      context,
      { command: `${NODE} report.mjs \${payload}\${payload}` },
      notification({ payload }),
    )
    assert.match(argv[0] ?? '', /^\/.*payload\.txt\/.*payload\.txt$/)
    const many = Array.from({ length: 40 }, () => '${payload}').join(' ')
    const { argv: paths } = await report(
      context,
      { command: `${NODE} report.mjs ${many}` },
      notification({ payload }),
    )
    assert.equal(paths.length, 40)
  })

  it('ends with an error that others share where the environment alone is too long', async () => {
    const environment = { ...process.env, LONG: 'x'.repeat(140_000) }
    const trigger = createTrigger(
      { type: 'command', command: 'true' },
      triggerHost(recordedOutput(), environment),
    )
    await assert.rejects(
      trigger.run(notification(), never),
      (error) => error instanceof TriggerError && !error.isPoison && /too long/.test(error.message),
    )
  })

  it('takes a member that a payload does not have as a matter of this one notification', async () => {
    const trigger = createTrigger({ type: 'command', command: 'true ${payload.path}' }, triggerHost())
    await trigger.run(notification({ payload: { path: '/x' } }), never)
    await assert.rejects(
      trigger.run(notification({ payload: 'just text' }), never),
      (error) => error instanceof TriggerError && error.isPoison,
    )
  })

  it('hides secrets and the variables of an outer notification', async () => {
    const output = recordedOutput()
    const environment = { ...process.env, AVISO_TOKEN: 'secret', AVISO_IDENTIFIER_STEP: '1' }
    const command = `${NODE} -e 'console.log(String(process.env.AVISO_TOKEN), String(process.env.AVISO_IDENTIFIER_STEP))'`
    await createTrigger({ type: 'command', command }, triggerHost(output, environment)).run(
      notification(),
      never,
    )
    assert.equal(output.logged[0]?.message, 'undefined undefined')
  })

  for (const [what, options, message] of [
    ['an empty command', { command: '  ' }, /the command is empty/],
    ['a program named by a notification', { command: '${payload} x' }, /must not come from a notification/],
    [
      'our names where a shell reads them',
      { shell: true, command: 'echo ${request.date}' },
      /is not replaced in a command that a shell reads/,
    ],
  ] as const) {
    it(`refuses ${what}`, () =>
      assert.throws(() => createTrigger({ type: 'command', ...options }, triggerHost()), message))
  }
})
