import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { missingFields, unknownIn, type EventType } from '#services/console/page/catalogue.ts'
import { readListeners, triggerWords } from '#services/console/page/listener_file.ts'
import { boundOf, readHistogram, readValue, since } from '#services/console/page/metrics.ts'
import {
  afterText,
  cellsOf,
  columnField,
  columnsOf,
  curvesOf,
  type Product,
  type WholeRun,
} from '#services/console/page/runs_model.ts'
import {
  asAviso,
  asCurl,
  asPyaviso,
  asYaml,
  shellWord,
  tellMe,
  yamlText,
} from '#services/console/page/same_as.ts'
import { brief, bytesText, seen, spanText } from '#services/console/page/text.ts'
import { SECONDS, ticks } from '#services/console/page/ticks.ts'
import { parseYaml } from '#services/console/page/yaml.ts'

describe('seen()', () => {
  it('writes what cannot be seen, or turns text around, as escapes', () => {
    assert.equal(
      seen('a\u202eb\u0000c\u001b[31m\u200b\ufeff\u2066\u009b\u061c'),
      'a\\u202eb\\u0000c\\u001b[31m\\u200b\\ufeff\\u2066\\u009b\\u061c',
    )
    assert.equal(seen('\ud800 \udc00 😀'), '\\ud800 \\udc00 😀')
    assert.equal(seen('<b> "é" 日本\n\t'), '<b> "é" 日本\n\t')
  })

  it('escapes marks that would be stacked over other lines, and leaves those of scripts', () => {
    assert.equal(seen(`o${'\u0301'.repeat(6)}`), `o${'\u0301'.repeat(4)}\\u0301\\u0301`)
    assert.equal(seen('\u{1d165}'.repeat(5)), `${'\u{1d165}'.repeat(4)}\\ud834\\udd65`)
    assert.equal(seen('ê̄ שָּׁ ที่'), 'ê̄ שָּׁ ที่')
  })

  it('brief: makes one line, and cuts it', () => {
    assert.equal(brief('a\nb\tc', 10), 'a b c')
    assert.equal(brief('x'.repeat(1_000_000), 5), 'xxxxx…')
  })
})

describe('numbers for people', () => {
  it('spanText, bytesText', () => {
    assert.deepEqual([0, 42, 119, 420, 12_000, 187_200].map(spanText), [
      '0 s',
      '42 s',
      '119 s',
      '7 min',
      '3 h 20 min',
      '2 d 4 h',
    ])
    assert.deepEqual([12, 2048, 300 * 1024 ** 2].map(bytesText), ['12 B', '2.0 KiB', '300 MiB'])
  })
})

describe('the same request in other forms', () => {
  const asked = {
    base: 'http://127.0.0.1:8080',
    event: 'flight',
    filter: { country: ["cote d'ivoire"], airport: ['FCO', 'no'], date: ['20260810'] },
    isSignedIn: false,
  }

  it('asYaml: is read as what it says, by any reader of YAML', () => {
    const text = asYaml(asked)
    const expected = {
      listeners: [
        {
          event: 'flight',
          request: { country: "cote d'ivoire", airport: ['FCO', 'no'], date: '20260810' },
          triggers: [{ type: 'echo' }],
        },
      ],
    }
    assert.deepEqual(parse(text), expected)
    assert.deepEqual(parseYaml(text), expected)
    for (const word of ['yes', '0001', '1e3', 'null', 'a: b', '- x', '#', "it's", '"', '', 'ä', '\u202e'])
      assert.equal(parse(yamlText(word)), word)
  })

  it('asCurl, asAviso: hand values to a shell as they are', () => {
    assert.equal(shellWord("it's $HOME"), "'it'\\''s $HOME'")
    assert.match(
      asCurl(asked),
      /^curl -N 'http:\/\/127\.0\.0\.1:8080\/api\/v1\/watch\?event=flight&country=cote\+d%27ivoire&airport=FCO&airport=no&date=20260810'\n$/,
    )
    assert.match(asCurl({ ...asked, isSignedIn: true }), /-H "Authorization: Bearer \$AVISO_TOKEN"/)
    assert.equal(
      asAviso(asked),
      "AVISO_BASE_URL=http://127.0.0.1:8080 aviso listen --event flight 'country=cote d'\\''ivoire' airport=FCO,no date=20260810\n",
    )
  })

  it('tellMe: asks for the states of runs like one, of any day', () => {
    const run = { class: 'od', stream: 'oper', expver: '0001', date: '20261130', time: '12' }
    assert.deepEqual(parse(tellMe('mars', run)), {
      listeners: [
        {
          event: 'run',
          request: {
            event_type: 'mars',
            class: 'od',
            stream: 'oper',
            expver: '0001',
            time: '12',
            state: ['complete', 'late', 'recovered', 'incomplete'],
          },
          triggers: [{ type: 'echo' }],
        },
      ],
    })
  })

  it('asPyaviso: has the names of pyaviso 2.x', () => {
    assert.match(asPyaviso({ ...asked, isSignedIn: true }), /auth=Bearer\(os\.environ\["AVISO_TOKEN"\]\)/)
    assert.match(
      asPyaviso(asked),
      /listen\(event_type="flight", filter=\{"country": "cote d'ivoire", "airport": \{"in": \["FCO", "no"\]\}, "date": "20260810"\}\)/,
    )
  })
})

describe('parseYaml()', () => {
  it('reads listener files as a whole reader of YAML does', () => {
    const files = [
      'listeners:\n- event: mars\n  request:\n    class: od   # operations\n    step: [0, 6, "12", 18]\n  triggers:\n  - type: command\n    command: "echo ${request.step} # no comment"\n    environment: {A: 1, B: x}\n  - type: echo\n',
      "listeners:\n  -\n    event: 'it''s'\n    request: {}\n",
      'event: flight\nrequest:\n  country:\n    - Italy\n    - France\n  date: 20260810\n',
      '---\na: true\nb: null\nc: -1\nd:\n',
      'a: http://x/y\nb: "q: \\"z\\""\n',
    ]
    for (const file of files)
      assert.deepEqual(parseYaml(file), parse(file, { version: '1.2', schema: 'core' }), file)
    // Leading zeros count in dates and steps, so such a number is a text.
    assert.deepEqual(parseYaml('expver: 0001'), { expver: '0001' })
  })

  it('refuses what it would understand wrongly, with the line', () => {
    for (const [text, line] of [
      ['a: &x 1', 1],
      ['a: |\n  text', 1],
      ['a: 1\n\tb: 2', 2],
      ['a: 1\na: 2', 2],
      ['a: 1\n  b: 2', 2],
      ['a: [1, 2', 1],
      ['a: 1\nb', 2],
      ['a: b: c', 1],
      ['a: "x', 1],
    ] as const)
      assert.throws(() => parseYaml(text), new RegExp(`^YamlFault: Line ${line}:`), text)
    assert.throws(() => parseYaml(`a: ${'['.repeat(100_000)}`), /Line 1/)
  })
})

describe('readListeners()', () => {
  it('takes listener files of 1.x, requests of 2.x, and JSON', () => {
    const asks = (text: string): readonly unknown[] => readListeners(text).map(({ ask }) => ask)
    assert.deepEqual(asks('listeners:\n  - event: flight\n    request: {country: Italy}\n'), [
      { event: 'flight', request: { country: 'Italy' } },
    ])
    assert.deepEqual(asks('{"event_type":"mars","identifier":{"step":{"gt":6}}}'), [
      { event_type: 'mars', identifier: { step: { gt: 6 } } },
    ])
    assert.throws(() => readListeners('hello'), /A listener has an event/)
    assert.throws(() => readListeners('{"a":'), /no JSON/)
  })

  it('reads `when` as aviso does: notifications of runs, in place of those of products', () => {
    const file = 'event: mars\nrequest: {class: od, time: "12"}\nwhen: [complete, late]\n'
    assert.deepEqual(
      [file, 'event: mars\n'].map((text) => readListeners(text)[0]?.isOfRuns),
      [true, false],
    )
    assert.deepEqual(readListeners(file)[0]?.ask, {
      event: 'run',
      request: { event_type: ['mars'], state: ['complete', 'recovered', 'late'], class: 'od', time: '12' },
    })
    for (const [text, message] of [
      ['event: mars\nwhen: done\n', /^Error: when: must be one of started, complete, late/],
      ['event: mars\nwhen: toString\n', /^Error: when: must be one of/],
      ['event: mars\nwhen: []\n', /^Error: when: must be one of/],
      ['event: run\nwhen: late\n', /event type of the products/],
      ['event: mars\nrequest: {state: late}\nwhen: late\n', /state is said by 'event' and 'when'/],
    ] as const)
      assert.throws(() => readListeners(text), message, text)
  })

  it('triggerWords: fills in the newest match, and runs nothing', () => {
    const newest = { id: 'flight@1', time: '', data: { identifier: { country: 'italy' }, payload: 'Landed' } }
    const trigger = { type: 'command', command: 'echo ${request.country} ${payload} ${request.nope}' }
    assert.equal(
      triggerWords(trigger, newest, 'flight'),
      'command {"command":"echo italy Landed ${request.nope}"}',
    )
  })
})

describe('what an address and a filter name', () => {
  const run: EventType = {
    event_type: 'run',
    whole: true,
    last: null,
    published: { minute: 0, hour: 0, day: 0 },
    fields: {},
    rules: {
      event_type: { type: 'EnumHandler', required: true },
      destination: {
        type: 'StringHandler',
        required: false,
        required_with: { event_type: ['dissemination'] },
      },
      state: { type: 'EnumHandler', required: false },
    },
    names: ['event_type', 'destination', 'state'],
    isPayloadRequired: false,
    payloadName: 'payload',
  }

  it('missingFields: demands a field only with the values that need it', () => {
    assert.deepEqual(missingFields(run, {}), ['event_type'])
    assert.deepEqual(missingFields(run, { event_type: ['mars'] }), [])
    assert.deepEqual(missingFields(run, { event_type: ['mars', 'dissemination'] }), ['destination'])
    assert.deepEqual(missingFields(run, { event_type: ['dissemination'], destination: ['FOO'] }), [])
  })

  it('unknownIn: tells event types and fields that are not there', () => {
    const told = (query: string): string | undefined =>
      unknownIn(new URLSearchParams(query), [run], ['from_id'])
    assert.equal(told(''), undefined)
    assert.equal(told('event=run&event_type=mars&state=late&from_id=1'), undefined)
    assert.match(
      told('event=nosuch') ?? '',
      /names the event type nosuch, which is not there, .* another one is shown/,
    )
    assert.match(told('event=run&stat=late&from=1') ?? '', /names stat, from, which run does not have/)
  })
})

describe('figures of /metrics', () => {
  const page = (many: number): string =>
    ['0.001', '0.01', '+Inf']
      .map((bound, index) => `d_bucket{le="${bound}"} ${many * (index + 1)}.0`)
      .join('\n')

  it('readHistogram, since, boundOf: what came since a person looks', () => {
    const before = readHistogram(page(10), 'd')
    const now = readHistogram(page(20), 'd')
    assert.ok(before !== undefined && now !== undefined)
    assert.equal(boundOf(now, 0.5), 0.01)
    assert.deepEqual(since(now, before).buckets, [
      [0.001, 10],
      [0.01, 20],
      [Infinity, 30],
    ])
    assert.equal(boundOf({ count: 0, buckets: [] }, 0.5), undefined)
    assert.equal(readHistogram('', 'd'), undefined)
  })

  it('readValue: takes the largest series of exactly this metric', () => {
    assert.equal(
      readValue('q_bytes{member="a"} 10.0\nq_bytes{member="b"} 2e1\nq_bytes_max 99', 'q_bytes'),
      20,
    )
    assert.equal(readValue('x 1', 'q_bytes'), undefined)
  })
})

describe('ticks()', () => {
  it('gives round values, never more than a few', () => {
    assert.deepEqual(ticks(0, 122, 3.5), [0, 50, 100])
    assert.deepEqual(ticks(0, 1, 3), [0, 1])
    assert.deepEqual(ticks(19_800, 23_793, 4, SECONDS), [19_800, 21_600, 23_400])
    for (const to of [1, 7, 1e3, 12_345_678]) assert.ok(ticks(0, to, 4).length <= 6, String(to))
    assert.deepEqual(ticks(5, 5, 0), [5])
  })
})

describe('the grid of runs', () => {
  const product = (step: string, state: Product['state'], late = 0): Product => ({
    product: { step, param: 't' },
    at: state === 'received' ? '2026-11-30T06:00:00.000Z' : null,
    due_at: null,
    lateness_seconds: late,
    state,
  })
  const run = (products: readonly Product[]): WholeRun => ({
    id: 'mars:x',
    event_type: 'mars',
    run: {},
    nominal: null,
    state: 'running',
    received: 0,
    expected: null,
    extra: 0,
    repeated: 0,
    first_at: null,
    last_at: null,
    complete_at: null,
    due_at: null,
    usual: null,
    eta: null,
    learning: null,
    overdue: 0,
    missing: { count: 0, products: [], truncated: false },
    products,
    arrivals: { today: [], usual: [] },
  })

  it('cellsOf: tells by shape what is there, late, missing and expected', () => {
    const whole = run([
      product('0', 'received'),
      product('6', 'received', 420),
      product('12', 'received'),
      product('12', 'missing'),
      product('18', 'overdue'),
      product('24', 'missing'),
      product('30', 'extra'),
    ])
    assert.equal(columnField([whole]), 'step')
    const columns = columnsOf([whole], 'step')
    assert.deepEqual(
      columns.map(({ from }) => from),
      ['0', '6', '12', '18', '24', '30'],
    )
    assert.deepEqual(
      cellsOf(whole, 'step', columns).map(({ kind }) => kind),
      ['on-time', 'late', 'partly', 'missing', 'expected', 'none'],
    )
  })

  it('columnsOf: puts steps together where there are many', () => {
    const whole = run(Array.from({ length: 241 }, (_, step) => product(String(step), 'received')))
    const columns = columnsOf([whole], 'step')
    assert.ok(columns.length <= 48)
    assert.deepEqual(columns[0], { from: '0', to: '5' })
    assert.equal(
      cellsOf(whole, 'step', columns).reduce((sum, { received }) => sum + received, 0),
      241,
    )
  })

  it('curvesOf: goes on with what was known, and ends with the newest arrival', () => {
    const today = [
      [0, 1],
      [10, 2],
    ] as const
    const usual = [
      [5, 0, 1, 2],
      [20, 3, 4, 5],
    ] as const
    assert.deepEqual(curvesOf({ today, usual }), {
      xs: [-1, 0, 5, 10, 20],
      today: [0, 1, 1, 2, null],
      low: [null, null, 0, 0, 3],
      middle: [null, null, 1, 1, 4],
      high: [null, null, 2, 2, 5],
    })
  })

  it('afterText: tells seconds where names are less than a minute apart', () => {
    assert.equal(afterText(12_365, 3_600), '+3:26')
    assert.equal(afterText(12_365, 5), '+3:26:05')
    assert.equal(afterText(-3_599, 60), '−1:00')
    assert.equal(afterText(-61, 1), '−0:01:01')
  })
})
