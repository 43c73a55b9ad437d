/**
 * The client's commands in scripts, and at a keyboard without a listener file: a child process against a real service.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { clientSite, PROGRAM, runClient, spawnClient } from '../support/client_program.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const flight = (number: string): string =>
  `event=flight,country=Italy,airport=FCO,date=20260810,number=${number}`

/** Of at least 512 bytes each. */
const LONGEST_FILE_BLOCKS = 8

describe('the client against a service', () => {
  const site = clientSite()
  const { aviso } = site

  it('notify: says id, key and sequence, to people and to programs', async () => {
    const key = '/tmp/aviso/flight/20260810/italy/FCO/N1'
    const first = await aviso('notify', `${flight('N1')},payload=Landed`)
    assert.deepEqual([first.code, first.stderr], [0, ''])
    assert.match(first.stdout, new RegExp(`^Done\nid flight@\\d+\nkey ${key}\nsequence \\d+\n$`))
    const second = JSON.parse((await aviso('notify', flight('N1'), '--json')).stdout) as object
    assert.deepEqual(Object.keys(second), ['id', 'key', 'sequence'])
  })

  it('value: what is stored with 0, nothing with 1, and 0 again with --no-fail', async () => {
    await aviso('notify', `${flight('V1')},payload=x`)
    const stored = await aviso('value', flight('V1'), '--json')
    const key = '/tmp/aviso/flight/20260810/italy/FCO/V1'
    assert.deepEqual([stored.code, JSON.parse(stored.stdout)], [0, { key, value: 'x' }])
    const nothing = await aviso('value', flight('V2'), '--json')
    assert.equal(nothing.code, 1)
    assert.match(nothing.stdout, /"value":null/)
    assert.match(nothing.stderr, /^Nothing is stored under .*\/V2$/m)
    assert.equal((await aviso('value', flight('V2'), '--no-fail')).code, 0)
  })

  it('replay --event: prints what matches, a line each with --json, and ends', async () => {
    await aviso('notify', `${flight('R1')},payload=1`)
    await aviso('notify', `${flight('R2')},payload=2`)
    await aviso('notify', `${flight('R3')},payload=3`)
    const { code, stdout } = await aviso(
      'replay',
      '--event',
      'flight',
      'country=Italy',
      'number=R1,R3',
      '--json',
      '-q',
    )
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([code, lines.map(({ payload }) => payload)], [0, ['1', '3']])
    assert.deepEqual(Object.keys(lines[0] ?? {}), [
      'id',
      'event',
      'sequence',
      'time',
      'source',
      'request',
      'payload',
    ])
    const future = await aviso('replay', '--event', 'flight', '--from', '2999-01-01')
    assert.equal(future.code, 2)
    assert.match(future.stderr, /^--from must be in the past: 2999-01-01T00:00:00\.000Z comes in \d+ days\n$/)
  })

  it('listen --event: prints what comes, keeps no position, and refuses words that are no pairs', async (context) => {
    const child = spawnClient(['listen', '--event', 'flight', 'airport=FCO', '--json'], {
      home: site.home,
      url: site.url,
    })
    context.after(() => void child.kill('SIGKILL'))
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    for await (const line of createInterface(child.stderr)) if (line === 'Connected') break
    await aviso('notify', `${flight('L1')},payload=Landed`)
    const { value } = (await lines.next()) as { readonly value: string }
    assert.equal((JSON.parse(value) as { readonly payload: unknown }).payload, 'Landed')
    child.kill('SIGTERM')
    await once(child, 'close')
    assert.equal(child.exitCode, 0)
    assert.deepEqual(await readdir(site.home), [])
    const unknown = await aviso('listen', '--event', 'flight', 'airprt=FCO')
    assert.deepEqual(
      [unknown.code, unknown.stderr],
      [
        255,
        'airprt: flight has no field airprt; allowed are date, country, airport, number. Did you mean airport?\n',
      ],
    )
    assert.match(
      (await aviso('listen', 'country=Italy')).stderr,
      /such file.*; fields and values need --event TYPE$/m,
    )
    const wrong = await aviso('listen', '--event', 'flight', 'Italy')
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /^Not a field and its value: Italy\. With --event write FIELD=VALUE/)
  })

  it('listen --dry-run and replay --dry-run: say what triggers would do, and do nothing', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'l.yaml')
    await writeFile(
      file,
      `listeners:
  - event: flight
    request: {number: D1}
    triggers:
      - type: command
        command: touch "\${request.number} it"
        environment: {WHO: "\${request.airport}"}
        working_dir: ${folder}
      - type: log
        path: ${folder}/flights.log
      - type: post
        protocol: {type: cloudevents_http, url: 'http://127.0.0.1:1/', headers: {Authorization: Bearer secret}}
      - type: command
        command: echo \${payload.nonsense}
      - type: echo
`,
    )
    await aviso('notify', `${flight('D1')},payload=x`)
    const { code, stdout } = await aviso('replay', file, '--dry-run', '-q')
    assert.equal(code, 0)
    const [command, log, post, wrong, skipped] = stdout.trimEnd().split('\n')
    assert.match(command ?? '', /^flight@\d+ command would run: WHO=FCO touch 'D1 it' \(in \/.*\)$/)
    assert.match(
      log ?? '',
      /^flight@\d+ log would append to .*flights\.log: Notification received: \{'event'/,
    )
    assert.match(post ?? '', /^flight@\d+ post would post to http:\/\/127\.0\.0\.1:1\/: \{"specversion"/)
    assert.match(wrong ?? '', /^flight@\d+ command would fail: \$\{payload\.nonsense\} is not part/)
    assert.match(skipped ?? '', /^flight@\d+ echo would be skipped, because command before it would fail$/)
    assert.doesNotMatch(stdout, /secret/)
    assert.deepEqual(await readdir(folder), ['l.yaml'])
    const json = await aviso('replay', file, '--dry-run', '-q', '--json')
    const first = JSON.parse(json.stdout.split('\n')[0] ?? '') as { readonly would: unknown }
    assert.deepEqual(first.would, {
      run: ['touch', 'D1 it'],
      environment: { WHO: 'FCO' },
      working_dir: folder,
    })
  })

  it('listen: ends at once where the folder of positions cannot be made or written', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'l.yaml')
    await writeFile(file, 'listeners:\n  - {event: flight, request: {}, triggers: []}\n')
    for (const [state, message] of [
      [
        '/proc/x/y',
        /^Cannot make the folder \/proc\/x\/y for positions: .*; name another folder with --state$/m,
      ],
      [file, /^Cannot make the folder .*l\.yaml for positions: /m],
      ['/proc/self', /^Cannot write in the folder \/proc\/self for positions: /m],
    ] as const) {
      const { code, stderr } = await aviso('listen', file, '--state', state)
      assert.equal(code, 255)
      assert.match(stderr, message)
    }
  })

  it('schema: event types, fields of one, and a hint for a misspelled one', async () => {
    assert.match((await aviso('schema')).stdout, /^flight +date, country, airport, number +payload$/m)
    assert.match((await aviso('schema', 'dissemination')).stdout, /^destination +string +yes$/m)
    assert.match((await aviso('schema', 'mars')).stdout, /\n\nPAYLOAD\nlocation\n$/)
    const { stdout } = await aviso('schema', 'flight', '--json')
    assert.deepEqual(Object.keys(JSON.parse(stdout) as object), ['payload', 'identifier'])
    const { code, stderr } = await aviso('schema', 'fligth')
    assert.equal(code, 255)
    assert.match(stderr, /no event type fligth; it has .*flight.*\. Did you mean flight\?/)
  })

  it('ends quietly when its reader has enough', async () => {
    await aviso('notify', flight('E1'))
    await aviso('notify', flight('E2'))
    const child = spawnClient(['replay', '--event', 'flight', '--json', '-q'], site)
    child.stdout.destroy()
    let said = ''
    child.stderr.on('data', (chunk) => (said += String(chunk)))
    await once(child, 'close')
    assert.deepEqual([child.exitCode, said], [0, ''])
  })
})

describe('the command line', () => {
  it('renew-epoch: refuses a folder without a store, and makes none there', async (context) => {
    const home = await temporaryFolder(context)
    const { code, stderr } = await runClient(['admin', 'renew-epoch', '--data', 'typo'], { home })
    assert.deepEqual([code, stderr], [2, 'There is no store in typo: name its folder with --data\n'])
    assert.deepEqual(await readdir(home), [])
  })

  it('what a full disk does not take is a failure of every command, also where nothing comes after it', async (context) => {
    if (!existsSync('/dev/full')) return context.skip('only Linux has a device that is full')
    const home = await temporaryFolder(context)
    const full = await open('/dev/full', 'w')
    context.after(() => full.close())
    const { url, stop } = await startServer({ arguments: ['--store', 'embedded:memory'] })
    context.after(() => stop())
    await runClient(['notify', flight('F1')], { home, url })
    const commands = [
      ['--help'],
      ['help', 'serve'],
      ['key', flight('F1')],
      ['value', flight('F1')],
      ['completion', 'bash'],
      ['replay', '--event', 'flight'],
      ['serve', '--check', '--store', 'embedded:memory', '--port', '0'],
      ['health', url],
      ['demo', '--url', url],
    ]
    const check = async (words: readonly string[]): Promise<void> => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...words], {
        cwd: home,
        stdio: ['ignore', full.fd, 'pipe'],
        env: { HOME: home, AVISO_BASE_URL: url },
      })
      let stderr = ''
      child.stderr?.on('data', (chunk) => (stderr += String(chunk)))
      await once(child, 'close')
      assert.equal(child.exitCode, 1, words.join(' '))
      assert.match(
        stderr,
        /^(?:error: )?Cannot write the output: ENOSPC: no space left on device, write$/m,
        words.join(' '),
      )
    }
    await Promise.all(commands.map(check))
  })

  it('config import: leaves neither file where one of them cannot be written to its end', async (context) => {
    const home = await temporaryFolder(context)
    // The configuration is shorter than the longest file that the process may write, and the schema longer.
    const description = 'x'.repeat(LONGEST_FILE_BLOCKS * 1024)
    const schema = `{ a: { topic: { base: a, key_order: [b] }, identifier: { b: { type: StringHandler, description: ${description} } } } }`
    await writeFile(join(home, 'theirs.yaml'), `notification_schema: ${schema}\n`)
    const limited = ['-c', `ulimit -f ${LONGEST_FILE_BLOCKS}; exec "$0" "$@"`, process.execPath]
    const words = ['--disable-warning=ExperimentalWarning', PROGRAM, 'config', 'import', 'theirs.yaml']
    const child = spawn('sh', [...limited, ...words, '--output', 'ours.json'], {
      cwd: home,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { HOME: home, PATH: process.env['PATH'] },
    })
    let stderr = ''
    child.stderr?.on('data', (chunk) => (stderr += String(chunk)))
    await once(child, 'close')
    assert.deepEqual([child.exitCode, stderr], [2, 'Cannot write notification_schema.json (EFBIG)\n'])
    assert.deepEqual(await readdir(home), ['theirs.yaml'])
  })

  it('--help: has the exit codes, for each command too', async () => {
    for (const argv of [['--help'], ['value', '--help'], ['admin', 'status', '--help']]) {
      const { code, stdout } = await runClient(argv, { home: tmpdir() })
      assert.equal(code, 0)
      assert.match(stdout, /\nExit codes:\n {2}0 {4}done.*\n {2}1 {4}a failure.*nothing is stored.*\n {2}2 /)
    }
  })

  it('options in front of the command: are refused, with the place where they stand', async () => {
    const { code, stderr } = await runClient(['-H', 'x', 'schema'], { home: tmpdir() })
    assert.equal(code, 2)
    assert.match(stderr, /^error: unknown option '-H'\nOptions stand behind the command, such as /)
    const behind = await runClient(['schema', '--hots', 'x'], { home: tmpdir() })
    assert.doesNotMatch(behind.stderr, /Options stand/)
  })

  it('completion bash: completes commands, flags and values', async () => {
    const { stdout } = await runClient(['completion', 'bash'], { home: tmpdir() })
    const complete = async (...words: string[]): Promise<string> => {
      const child = spawn('bash', [
        '-c',
        `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aviso; echo "\${COMPREPLY[*]}"`,
        'bash',
        ...words,
      ])
      let text = ''
      child.stdout.on('data', (chunk) => (text += String(chunk)))
      await once(child, 'close')
      return text.trim()
    }
    assert.equal(await complete('aviso', 'no'), 'notify')
    assert.equal(await complete('aviso', '-q', 'admin', 'back'), 'backup')
    assert.equal(await complete('aviso', 'listen', '--dry'), '--dry-run')
    assert.equal(await complete('aviso', 'listen', '--on-gap', ''), 'stop continue')
    assert.equal(await complete('aviso', 'completion', 'z'), 'zsh')
  })

  it('completion: names every command for zsh and fish, and refuses another shell', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { code, stdout } = await runClient(['completion', shell], { home: tmpdir() })
      assert.equal(code, 0)
      for (const word of ['renew-epoch', 'dry-run', 'replay'])
        assert.ok(stdout.includes(word), `${shell} ${word}`)
    }
    const { code, stderr } = await runClient(['completion', 'tcsh'], { home: tmpdir() })
    assert.equal(code, 2)
    assert.match(stderr, /Allowed choices are bash, zsh, fish/)
  })
})

describe('aviso config show', () => {
  it('prints settings, their origin and the files, also when the credential cannot be read', async () => {
    const environment = { AVISO_AUTH_TYPE: 'ecmwf', AVISO_KEY_FILE: '/nope', AVISO_TIMOUT: '1' }
    const shown = await runClient(['config', 'show'], { home: tmpdir(), environment })
    assert.equal(shown.code, 0)
    assert.match(shown.stdout, /^SETTING +VALUE +FROM\nbase_url +http:\/\/127\.0\.0\.1:8080 +default\n/)
    assert.match(shown.stdout, /^key_file +\/nope +AVISO_KEY_FILE$/m)
    assert.match(shown.stdout, /\.aviso\/config\.yaml +not there\n$/)
    assert.match(shown.stderr, /^AVISO_TIMOUT: Unknown variable, ignored. Did you mean AVISO_TIMEOUT\?\n$/)
    const json = await runClient(['config', 'show', '--json', '-P', '81'], { home: tmpdir(), environment })
    const { settings } = JSON.parse(json.stdout) as { readonly settings: Readonly<Record<string, unknown>> }
    assert.deepEqual(settings['base_url'], { value: 'http://127.0.0.1:81', from: '--port' })
  })
})
