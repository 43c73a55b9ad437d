import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { readListeners } from '../../../../scripts/aviso/listener_file.ts'
import { parseYamlFile } from '../../../../scripts/aviso/yaml_file.ts'
import { triggerHost } from './fixture.ts'

function read(text: string) {
  return readListeners(parseYamlFile(text, 'l.yaml'), triggerHost())
}

function listener(rest: string): string {
  return `listeners:\n  - event: flight\n    request: {country: Italy}\n    ${rest}\n`
}

describe('readListeners()', () => {
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
      'l.yaml:4:5 listeners.0.trigers: Unknown key',
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
      'l.yaml:4:17 listeners.0.triggers.0.type: Trigger type logger not recognised',
    ],
    [
      'a misspelt option',
      listener('triggers: [{type: command, command: a, envroment: {}}]'),
      'l.yaml:4:44 listeners.0.triggers.0.envroment: Unknown key',
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
