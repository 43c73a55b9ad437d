/**
 * What the client refuses, and what it says then: a child process against a real service.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { clientSite, runClient } from '../support/client_program.ts'
import { temporaryFolder } from '../support/server.ts'
import { answer, scriptedService } from '../unit/scripts/aviso/fixture.ts'

const FLIGHT = 'event=flight,country=Italy,airport=FCO,date=20260810,number=T1'

describe('the client', () => {
  const site = clientSite()
  const { aviso } = site

  it('listen: judges all files before it listens, also by what the service knows', async (context) => {
    const folder = await temporaryFolder(context)
    const files = ['a.yaml', 'b.yaml'].map((name) => join(folder, name))
    const [first = '', second = ''] = files
    await writeFile(first, 'listeners:\n  - {event: fligt, name: x, request: {}, triggers: [{type: echo}]}\n')
    await writeFile(
      second,
      `listeners:
  - {event: flight, request: {citty: Rome, airprt: FCO}, triggers: [{type: echo}]}
  - event: flight
    request: {}
    triggers:
      - {type: echo}
      - type: command
        command: echo \${request.date} \${request.dat} \${event} \${payload.x} \${location} \${jsonpath}
        environment: {A: "\${nope}"}
`,
    )
    const known = await aviso('listen', ...files)
    assert.equal(known.code, 255)
    assert.deepEqual(known.stderr.trimEnd().split('\n'), [
      `${first}:2:6 listeners.0.event (listener x): the service has no event type fligt; allowed are dissemination, flight, mars. Did you mean flight?`,
      `${second}:2:31 listeners.0.request.citty: flight has no field citty; allowed are date, country, airport, number`,
      `${second}:2:44 listeners.0.request.airprt: flight has no field airprt; allowed are date, country, airport, number. Did you mean airport?`,
      `${second}:8:9 listeners.1.triggers.1.command: no notification of flight has \${request.dat}; allowed are event, request, request.date, request.country, request.airport, request.number, json, jsonpath, payload. Did you mean request.date?`,
      `${second}:8:9 listeners.1.triggers.1.command: no notification of flight has \${nope}; allowed are event, request, request.date, request.country, request.airport, request.number, json, jsonpath, payload`,
    ])
    // What a file itself has wrong does not hide what the service says of its other listeners.
    await writeFile(
      first,
      'listeners:\n  - {evnt: flight, request: {}, triggers: []}\n  - {event: fligt, request: {}, triggers: []}\n',
    )
    const both = await aviso('listen', first)
    assert.match(both.stderr, /a\.yaml:2:6 .*evnt.*\n.*a\.yaml:3:6 .*no event type fligt/s)
    await writeFile(first, 'listeners:\n  - {evnt: flight, request: {}, triggers: []}\n')
    await writeFile(second, 'listeners: [1\n')
    const malformed = await aviso('listen', ...files, '/no/such.yaml')
    assert.match(
      malformed.stderr,
      /a\.yaml:2:6 .*evnt.*Unknown key.*\n.*b\.yaml:2:1 .*\nNot able to load .*such\.yaml/s,
    )
    assert.doesNotMatch(malformed.stderr, /Listening/)
  })

  it('refuses what contradicts itself, with a remedy that can be followed', async () => {
    const rows = [
      [['init', '--help'], 2, /^error: unknown command 'init'/],
      [['explain'], 255, /cannot be empty: name a listener file, or add listeners to the configuration\n$/],
      [['admin', 'wipe', 'flight', '--all', '--yes'], 2, /^error: flight and --all contradict one another/],
      [['schema', '--port', 'abc'], 2, /^Not a port: abc/],
      [
        ['admin', 'renew-epoch', '--store', 'http://127.0.0.1:2'],
        1,
        /^No answer from the store http:\/\/127\.0\.0\.1:2: the connection was refused, so nothing listens there/,
      ],
      [
        ['admin', 'migrate', '--from', 'http://127.0.0.1:2', '--to', 'embedded:', '--data', site.home],
        1,
        /^No answer from the store http:\/\/127\.0\.0\.1:2: the connection was refused/m,
      ],
    ] as const
    for (const [words, code, message] of rows) {
      const refused = await aviso(...words)
      assert.equal(refused.code, code, refused.stderr)
      assert.match(refused.stderr, message)
    }
    const demo = await aviso('demo', '--store', 'http://127.0.0.1:2')
    assert.deepEqual([demo.code, demo.stdout], [1, ''])
    assert.match(
      demo.stderr,
      /^error: no answer from http:\/\/127\.0\.0\.1:2: the connection was refused.*\n$/,
    )
  })

  it('says how a token is given where the service wants one and none was sent', async (context) => {
    const { url } = await scriptedService(context, [
      (response) => answer(response, 401, { message: 'Missing Authorization header' }),
    ])
    const token = join(await temporaryFolder(context), 'token')
    await writeFile(token, 'old')
    for (const words of [
      ['notify', FLIGHT],
      ['listen', '--event', 'flight'],
      ['admin', 'status'],
      ['admin', 'clean'],
    ]) {
      const anonymous = await runClient(words, { home: site.home, url })
      assert.equal(anonymous.code, 255)
      assert.match(
        anonymous.stderr,
        /Missing Authorization header\. No token was sent: name its file with --token-file or AVISO_TOKEN_FILE, or set AVISO_TOKEN$/m,
      )
    }
    const known = await runClient(['notify', FLIGHT, '--token-file', token], { home: site.home, url })
    assert.match(known.stderr, /Missing Authorization header$/m)
  })

  it('runs: says how runs are configured where the services follow none', async () => {
    const { code, stderr } = await aviso('runs')
    assert.equal(code, 2)
    assert.match(stderr, /^The services follow no runs\. .*\n {2}"vars": \{ "runs": \{ "mars": true \} \}$/m)
  })

  it('listen: judges values before it listens, together with all else, by what the service takes', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'l.yaml')
    await writeFile(
      file,
      `listeners:
  - event: mars
    name: x
    request: {date: 20261345, stream: [oper, opr], step: 12, levtype: [sfc]}
    triggers: [{type: command, command: /no/such, timeout: soon}]
  - {event: mars, request: {date: 2026-08-10, time: 7, domain: q}, triggers: [{type: echo}]}
`,
    )
    const { code, stderr } = await aviso('listen', file)
    assert.equal(code, 255)
    const lines = stderr.trimEnd().split('\n')
    const stream = lines[4] ?? ''
    assert.deepEqual(lines.toSpliced(4, 1), [
      `${file}:5:51 listeners.0.triggers.0.timeout (listener x): must be seconds from 0.001 to 86400`,
      `${file}:5:32 listeners.0.triggers.0.command (listener x): there is no program /no/such`,
      `${file}:4:62 listeners.0.request.levtype (listener x): mars has no field levtype; allowed are date, class, expver, domain, time, stream, step`,
      `${file}:4:15 listeners.0.request.date (listener x): Value 20261345 is not valid for key date; allowed are days such as 20260810 or 2026-08-10`,
      `${file}:6:47 listeners.1.request.time: Value 7 is not valid for key time; allowed are 0, 6, 12, 18`,
    ])
    assert.ok(
      stream.startsWith(
        `${file}:4:46 listeners.0.request.stream.1 (listener x): Value opr is not valid for key stream; allowed are amap, `,
      ),
    )
    assert.match(stream, /and 243 more, which aviso schema --json has\. Did you mean oper\?$/)
    assert.match(
      (await aviso('listen', '--event', 'mars', 'stream=oper,opr')).stderr,
      /^stream: Value opr is not valid for key stream; allowed are .*\. Did you mean oper\?$/m,
    )
  })
})
