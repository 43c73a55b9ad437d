import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { readListeners } from '../../../../scripts/aviso/listener_file.ts'
import { parseYamlFile } from '../../../../scripts/aviso/yaml_file.ts'
import { notification, recordedOutput, triggerHost } from './fixture.ts'

function read(text: string) {
  return readListeners(parseYamlFile(text, 'l.yaml'), triggerHost(recordedOutput(), { TMP_OF_TEST: '/' }))
}

function listener(rest: string): string {
  return `listeners:\n  - event: flight\n    request: {country: Italy}\n    ${rest}\n`
}

describe('readListeners()', () => {
  it('names every fault of a file, each with its line, its listener and what is allowed', () => {
    const text = `listeners:
  - event: flight
    nam: a
    name: first
    request: {country: [], airport: {gt: 1}}
    triggers:
      - {type: comand}
      - {type: command, command: "a | b", working_dir: /no/such, retries: many, tiemout: 3}
      - type: post
        protocol: {type: cloudevents_http, url: here, header: {}, cloudevents: {tipe: x}}
  - flight
  - request: {}
    triggers: [{type: log}]
`
    assert.throws(
      () => read(text),
      (error) => {
        assert.ok(error instanceof ClientError)
        assert.deepEqual(error.message.split('\n'), [
          'l.yaml:3:5 listeners.0.nam (listener first): Unknown key; allowed are event, request, triggers, name, when. Did you mean name?',
          'l.yaml:5:15 listeners.0.request.country (listener first): must not be an empty list',
          'l.yaml:5:28 listeners.0.request.airport (listener first): must be a value or a list of values',
          'l.yaml:7:10 listeners.0.triggers.0.type (listener first): Trigger type comand not recognised; allowed are echo, log, command, post. Did you mean command?',
          'l.yaml:8:81 listeners.0.triggers.1.tiemout (listener first): Unknown key; allowed are type, command, environment, working_dir, shell, timeout, retries, on_failure, on_poison. Did you mean timeout?',
          'l.yaml:8:66 listeners.0.triggers.1.retries (listener first): must be a whole number from 0 to 1000',
          'l.yaml:8:43 listeners.0.triggers.1.working_dir (listener first): there is no folder /no/such: make it first',
          'l.yaml:8:25 listeners.0.triggers.1.command (listener first): the command uses |, which only a shell understands: quote it, or add "shell: true" and take values from environment variables such as "$AVISO_PAYLOAD_JSON"',
          'l.yaml:10:55 listeners.0.triggers.2.protocol.header (listener first): Unknown key; allowed are type, url, headers, timeout, cloudevents. Did you mean headers?',
          'l.yaml:10:81 listeners.0.triggers.2.protocol.cloudevents.tipe (listener first): Unknown key; allowed are type, source. Did you mean type?',
          'l.yaml:10:44 listeners.0.triggers.2.protocol.url (listener first): must be an address',
          'l.yaml:11:5 listeners.1: Wrong file structure',
          "l.yaml:12:5 listeners.2.event: Wrong file structure, 'event' could not be located",
          'l.yaml:13:16 listeners.2.triggers.0.path: path is a mandatory field',
        ])
        return true
      },
    )
  })

  it('reads what 1.x files have: anchors, merges, $HOME, words for booleans, numbers with underscores', () => {
    const [first, second] = read(`
defaults: &defaults
  event: flight
  request: &italy {country: Italy}
  triggers: &all [{type: echo}]
listeners:
  - <<: *defaults
    name: first
  - event: mars
    request: {<<: *italy, class: od}
    triggers:
      - type: command
        command: env $HOME/bin/run "\${HOME}/in" '$HOME'
        working_dir: $TMP_OF_TEST
        shell: Off
        timeout: 3_600
`)
    assert.deepEqual([first?.name, first?.event, first?.request], ['first', 'flight', { country: ['Italy'] }])
    assert.deepEqual(second?.request, { country: ['Italy'], class: ['od'] })
    const { details } = second?.triggers[0]?.plan(notification()) ?? {}
    assert.deepEqual(details, {
      run: ['env', '/home/joe/bin/run', '/home/joe/in', '$HOME'],
      environment: {},
      working_dir: '/',
    })
  })

  it('locates faults behind anchors and merges where they are written', () => {
    assert.throws(
      () =>
        read(
          'x: &x\n  triggers:\n    - {type: ehco}\nlisteners:\n  - event: a\n    request: {}\n    <<: *x\n',
        ),
      /^ClientError: l\.yaml:3:8 listeners\.0\.triggers\.0\.type: Trigger type ehco not recognised.*Did you mean echo/,
    )
  })

  it('warns of a listener without triggers, which 1.x takes, too', () => {
    const output = recordedOutput()
    const file = parseYamlFile(listener('triggers: []'), 'l.yaml')
    const [definition] = readListeners(file, triggerHost(output))
    assert.deepEqual(definition?.triggers, [])
    assert.deepEqual(output.logged, [
      {
        level: 'WARNING',
        message:
          'l.yaml:4:5 listeners.0.triggers: the list is empty, so nothing is done for a notification. Add a trigger, such as {type: echo}',
      },
    ])
  })

  it('says where 1.x read another value than the one that is written', () => {
    const output = recordedOutput()
    const text =
      "listeners:\n  - event: mars\n    request: {expver: 0010, step: [0007, 010, '010'], time: 12:30, country: NO, on: x}\n    triggers: [{type: echo}]\n"
    const [definition] = readListeners(parseYamlFile(text, 'l.yaml'), triggerHost(output))
    assert.deepEqual(definition?.request['expver'], ['0010'])
    const end = 'Put it in quotes if the text is meant'
    assert.deepEqual(
      output.logged.map(({ message }) => message),
      [
        `l.yaml:3:15 listeners.0.request.expver: read as the text 0010, as it is written; aviso 1.x read it as the number 8. ${end}`,
        `l.yaml:3:42 listeners.0.request.step.1: read as the text 010, as it is written; aviso 1.x read it as the number 8. ${end}`,
        `l.yaml:3:55 listeners.0.request.time: read as the text 12:30, as it is written; aviso 1.x read it as the number 750. ${end}`,
        `l.yaml:3:68 listeners.0.request.country: read as the text NO, as it is written; aviso 1.x read it as False. ${end}`,
      ],
    )
  })

  it('reads scalars and lists as written, and no request as everything', () => {
    const listeners = read(
      'listeners:\n  - event: mars\n    request: {expver: 0010, step: [0, 24], flag: true}\n    triggers: [{type: Echo}]\n' +
        '  - event: flight\n    request:\n    name: second\n    triggers: []\n',
    )
    assert.deepEqual(
      listeners.map(({ event, request, name }) => ({ event, request, name })),
      [
        { event: 'mars', request: { expver: ['0010'], step: ['0', '24'], flag: ['true'] }, name: undefined },
        { event: 'flight', request: {}, name: 'second' },
      ],
    )
    assert.deepEqual(
      listeners[0]?.triggers.map(({ type, retries, onFailure }) => ({ type, retries, onFailure })),
      [{ type: 'echo', retries: 3, onFailure: 'stop' }],
    )
  })

  for (const name of ['flight', 'dissemination']) {
    it(`reads the example ${name}.yaml`, async () => {
      const text = await readFile(
        new URL(`../../../../scripts/examples/${name}.yaml`, import.meta.url),
        'utf8',
      )
      assert.ok(read(text).length > 0)
    })
  }

  for (const [what, text, message] of [
    ['an empty file', '', 'l.yaml: Event listeners definition cannot be empty'],
    ['no listeners', 'listeners: []', 'l.yaml:1:1 listeners: Event listeners definition cannot be empty'],
    [
      'another keyword',
      'listener: []',
      "l.yaml:1:1: Event listeners definition must start with the keyword 'listeners'",
    ],
    ['a mapping instead of a list', 'listeners: {a: 1}', 'l.yaml:1:1 listeners: Wrong file structure'],
    ['text instead of a listener', 'listeners:\n  - flight', 'l.yaml:2:5 listeners.0: Wrong file structure'],
    [
      'no event',
      'listeners:\n  - request: {}\n    triggers: []',
      "l.yaml:2:5 listeners.0.event: Wrong file structure, 'event' could not be located",
    ],
    [
      'no request',
      'listeners:\n  - event: a\n    triggers: []',
      "l.yaml:2:5 listeners.0.request: Wrong file structure, 'request' could not be located",
    ],
    ['no triggers', listener(''), "l.yaml:2:5 listeners.0.triggers: 'triggers' is a mandatory field"],
    [
      'null triggers',
      listener('triggers:'),
      'l.yaml:4:5 listeners.0.triggers: At least one trigger must be defined',
    ],
    [
      'an unknown key',
      listener('trigers: []\n    triggers: []'),
      'l.yaml:4:5 listeners.0.trigers: Unknown key; allowed are event, request, triggers, name, when. Did you mean triggers?',
    ],
    [
      'a comparison',
      'listeners:\n  - event: a\n    request: {step: {gt: 1}}\n    triggers: []',
      'l.yaml:3:15 listeners.0.request.step: must be a value or a list of values',
    ],
    [
      'an empty list of values',
      'listeners:\n  - event: a\n    request: {step: []}\n    triggers: []',
      'l.yaml:3:15 listeners.0.request.step: must not be an empty list',
    ],
    [
      'a missing value',
      'listeners:\n  - event: a\n    request: {step: }\n    triggers: []',
      'l.yaml:3:15 listeners.0.request.step: must be a value or a list of values',
    ],
    [
      'a trigger without type',
      listener('triggers: [{path: x}]'),
      "l.yaml:4:16 listeners.0.triggers.0: 'type' is a mandatory field in trigger",
    ],
    [
      'an unknown trigger',
      listener('triggers: [{type: Logger}]'),
      'l.yaml:4:17 listeners.0.triggers.0.type: Trigger type logger not recognised; allowed are echo, log, command, post',
    ],
    [
      'a misspelt option',
      listener('triggers: [{type: command, command: a, envroment: {}}]'),
      'l.yaml:4:44 listeners.0.triggers.0.envroment: Unknown key; allowed are type, command, environment, working_dir, shell, timeout, retries, on_failure, on_poison. Did you mean environment?',
    ],
    [
      'a log without path',
      listener('triggers: [{type: log}]'),
      'l.yaml:4:16 listeners.0.triggers.0.path: path is a mandatory field',
    ],
    [
      'a command without command',
      listener('triggers: [{type: command}]'),
      'l.yaml:4:16 listeners.0.triggers.0.command: command is a mandatory field',
    ],
    [
      'a post without protocol',
      listener('triggers: [{type: post}]'),
      'l.yaml:4:16 listeners.0.triggers.0.protocol: protocol is a mandatory field',
    ],
    [
      'a protocol without type',
      listener('triggers: [{type: post, protocol: {url: x}}]'),
      'l.yaml:4:29 listeners.0.triggers.0.protocol.type: protocol type is a mandatory field',
    ],
    [
      'a protocol without url',
      listener('triggers: [{type: post, protocol: {type: cloudevents_http}}]'),
      'l.yaml:4:29 listeners.0.triggers.0.protocol.url: url is a mandatory field',
    ],
    [
      'retries below none',
      listener('triggers: [{type: echo, retries: -1}]'),
      'l.yaml:4:29 listeners.0.triggers.0.retries: must be a whole number from 0 to 1000',
    ],
    [
      'another on_failure',
      listener('triggers: [{type: echo, on_failure: ignore}]'),
      "l.yaml:4:29 listeners.0.triggers.0.on_failure: must be 'stop' or 'continue'",
    ],
    [
      'a folder that is not there',
      listener('triggers: [{type: command, command: a, working_dir: ~/no}]'),
      'l.yaml:4:44 listeners.0.triggers.0.working_dir: there is no folder /home/joe/no: make it first',
    ],
    [
      'a variable that is not set',
      listener('triggers: [{type: log, path: $NO_SUCH_NAME/x}]'),
      'l.yaml:4:28 listeners.0.triggers.0.path: the variable NO_SUCH_NAME in $NO_SUCH_NAME/x is not set',
    ],
    [
      'a log in a folder that is not there',
      listener('triggers: [{type: log, path: /no/such/folder/x.log}]'),
      'l.yaml:4:28 listeners.0.triggers.0.path: there is no folder /no/such/folder: make it first',
    ],
    ['a command for a shell', listener('triggers: [{type: command, command: "a && b"}]'), undefined],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => read(text),
        (error) => {
          assert.ok(error instanceof ClientError)
          if (message === undefined)
            assert.match(
              error.message,
              /^l\.yaml:4:32 listeners\.0\.triggers\.0\.command: the command uses &, which only a shell understands/,
            )
          else assert.equal(error.message, message)
          return true
        },
      )
    })
  }
})
