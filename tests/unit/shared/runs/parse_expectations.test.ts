import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as v from 'valibot'
import { readSettings } from '#shared/config/load.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { runsShape } from '#shared/runs/expectation_shape.ts'
import { parseExpectations } from '#shared/runs/parse_expectations.ts'
import { expecting, RUN, SCHEMAS } from './products.ts'

const builtin = createBuiltinSchemas()

function refusalOf(written: unknown): string {
  try {
    parseExpectations(written, SCHEMAS, 'vars.runs')
  } catch (error) {
    assert.ok(isAvisoError(error))
    assert.equal(error.code, 'ERR_CONFIG')
    return error.message
  }
  return 'taken'
}

describe('parseExpectations()', () => {
  it('takes the shipped expectations of mars and dissemination', () => {
    const shipped = parseExpectations(
      { mars: true, dissemination: true, flight: false },
      builtin,
      'vars.runs',
    )
    assert.deepEqual([...shipped.keys()], ['mars', 'dissemination'])
    const mars = shipped.get('mars')
    assert.deepEqual(mars?.run, ['class', 'stream', 'expver', 'date', 'time'])
    assert.deepEqual(mars.expected, { kind: 'usual' })
    assert.deepEqual(mars.usual, { runs: 7, quorum: 0.6 })
    assert.equal(mars.close, 24 * 3_600_000)
    assert.equal(mars.nominal?.readDate('20240229'), Date.UTC(2024, 1, 29))
    assert.equal(mars.nominal.readDate('20260229'), undefined)
    assert.equal(mars.nominal.writeDate(Date.UTC(2026, 0, 5, 18)), '20260105')
    assert.equal(shipped.get('dissemination')?.run[0], 'destination')
  })

  it('makes listed values what keys have', () => {
    const { expected } =
      expecting({
        product: ['step', 'number'],
        expect: [{ where: { time: [0, '12'] }, step: ['0/to/12/by/6', 24], number: 'a/b', due: '8h' }],
      }).get('mars') ?? {}
    assert.ok(expected?.kind === 'list')
    const [group] = expected.groups
    assert.deepEqual([...(group?.where.get('time') ?? [])], ['00', '12'])
    assert.equal(group?.products.length, 8)
    assert.equal(group.products[0], '0\u001fa')
    assert.equal(group.due, 8 * 3_600_000)
  })

  it('takes runs of every day as all combinations of their values', () => {
    const every = { stream: 'oper/wave', time: ['00', 6] }
    assert.deepEqual(expecting({ every }).get('mars')?.every, [
      { stream: 'oper', time: '00' },
      { stream: 'oper', time: '06' },
      { stream: 'wave', time: '00' },
      { stream: 'wave', time: '06' },
    ])
  })

  it('has a nominal time by date alone, and none', () => {
    const daily = expecting({ run: ['stream', 'date'], product: ['step', 'time'] }).get('mars')
    assert.equal(daily?.nominal?.time, undefined)
    assert.equal(expecting({ run: ['stream'], expect: { count: 3 } }).get('mars')?.nominal, undefined)
  })

  it('reads the dates of 2.x', () => {
    const schemas = createSchemas([
      {
        source: 'second',
        content: {
          notification_schema: {
            test: {
              topic: { base: 'test', key_order: ['date', 'time', 'step'] },
              identifier: {
                date: { type: 'DateHandler', canonical_format: '%Y-%m-%d' },
                time: { type: 'TimeHandler' },
                step: { type: 'IntHandler' },
              },
            },
          },
        },
      },
    ])
    const test = {
      run: ['date', 'time'],
      product: ['step'],
      expect: [{ where: { time: '6' }, step: '0/to/2' }],
    }
    const expectation = parseExpectations({ test }, schemas, 'vars.runs').get('test')
    assert.equal(expectation?.nominal?.writeDate(Date.UTC(2026, 5, 1)), '2026-06-01')
    assert.ok(expectation.expected.kind === 'list')
    assert.deepEqual([...(expectation.expected.groups[0]?.where.get('time') ?? [])], ['0600'])
  })

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['no object', 'mars', /vars.runs: .*an object/],
    ['an unknown event type', { marz: RUN }, /marz: there is no event type "marz": did you mean "mars"\?/],
    ['true for what is not shipped', { mars: true, x: 1 }, /x: 1 /],
    [
      'an unknown setting',
      { mars: { ...RUN, closes: '8h' } },
      /mars.closes: there is no setting "closes" here: did you mean "close"/,
    ],
    [
      'an unknown field of a run',
      { mars: { ...RUN, run: ['date', 'tiem'] } },
      /mars.run.1: there is no field "tiem": did you mean "time"/,
    ],
    [
      'an unknown field of a product',
      { mars: { ...RUN, product: ['stepp'] } },
      /mars.product.0: .*did you mean "step"/,
    ],
    [
      'a field twice',
      { mars: { ...RUN, run: ['date', 'time', 'date'] } },
      /mars.run.2: "date" stands there twice/,
    ],
    [
      'a field of both',
      { mars: { ...RUN, product: ['step', 'time'] } },
      /mars.product.1: "time" names a run already/,
    ],
    ['no field', { mars: { ...RUN, run: [] } }, /mars.run: .*at least one/],
    ...['8 hours', '-8h', '0h', 8].map((due): (typeof refused)[number] => [
      `a bad duration, ${due}`,
      { mars: { ...RUN, due } },
      /^vars\.runs: mars\.due: \S+( hours")? does not fit\. A duration is a whole number .* such as 8h .*, or "usual"$/,
    ]),
    [
      'a bad duration in a list, and nothing else of it',
      { mars: { ...RUN, expect: [{ step: 0, due: 'soon' }] } },
      /^vars\.runs: mars\.expect\.0\.due: "soon" does not fit\. A duration is [^\n]*$/,
    ],
    [
      'a mistyped field, and not the right one where it is used',
      { mars: { ...RUN, product: ['stepp'], expect: [{ step: 0 }] } },
      /^vars\.runs: mars\.product\.0: there is no field "stepp": did you mean "step"\?$/,
    ],
    [
      'a mistyped field of a run, and not the right one where it is used',
      { mars: { ...RUN, run: ['date', 'time', 'streem'], every: { time: '00', stream: 'oper' } } },
      /^vars\.runs: mars\.run\.2: there is no field "streem": did you mean "stream"\?$/,
    ],
    [
      'a due time after the end',
      { mars: { ...RUN, due: '25h' } },
      /mars.due: it is after the time at which a run is closed/,
    ],
    [
      'an empty range',
      { mars: { ...RUN, expect: [{ step: '6/to/0' }] } },
      /mars.expect.0.step: .*empty range/,
    ],
    [
      'a range of millions',
      { mars: { ...RUN, expect: [{ step: '0/to/99999999' }] } },
      /mars.expect.0.step: .*more than 100000/,
    ],
    [
      'too many combinations',
      { mars: { ...RUN, product: ['step', 'number'], expect: [{ step: '0/to/999', number: '0/to/999' }] } },
      /mars.expect.0: it lists more than 100000 products/,
    ],
    [
      'a value that the field refuses',
      { mars: { ...RUN, expect: [{ step: '0/to/200000/by/1000' }] } },
      /mars.expect.0.step: .*101000/,
    ],
    [
      'a where that its field refuses',
      { mars: { ...RUN, expect: [{ where: { time: '03' }, step: 0 }] } },
      /mars.expect.0.where.time: .*03/,
    ],
    [
      'a where of a product',
      { mars: { ...RUN, expect: [{ where: { step: 0 }, step: 0 }] } },
      /where.step: "step" cannot stand here/,
    ],
    [
      'a group with an unknown field',
      { mars: { ...RUN, expect: [{ step: 0, stepp: 1 }] } },
      /expect.0.stepp: there is no field "stepp": did you mean "step"/,
    ],
    [
      'a group without a field',
      { mars: { ...RUN, product: ['step', 'number'], expect: [{ step: 0 }] } },
      /it must list values of number/,
    ],
    ['an empty list', { mars: { ...RUN, expect: [{ step: [] }] } }, /expect.0.step: The list is empty/],
    ['a count of none', { mars: { ...RUN, expect: { count: 0 } } }, /count/],
    [
      'what is usual without a date',
      { mars: { run: ['stream'], product: ['step'] } },
      /mars.nominal: .*need a nominal date/,
    ],
    [
      'a nominal field that no run has',
      { mars: { ...RUN, nominal: { date: 'step' } } },
      /mars.nominal.date: "step" does not name a run/,
    ],
    [
      'a nominal date without days',
      { mars: { ...RUN, nominal: { date: 'stream' } } },
      /mars.nominal.date: "stream" has no days/,
    ],
    [
      'every day without a field',
      { mars: { ...RUN, every: { time: '00' } } },
      /mars.every: it must have values of stream/,
    ],
    [
      'every day with a date',
      { mars: { ...RUN, every: { time: '00', stream: 'oper', date: '20260601' } } },
      /mars.every.date: "date" cannot stand here/,
    ],
    [
      'a count beside "usual"',
      { mars: { ...RUN, expect: { count: 3, usual: {} } } },
      /either "usual" or "count"/,
    ],
    ['neither', { mars: { ...RUN, expect: {} } }, /either "usual" or "count"/],
    ['a share that is no habit', { mars: { ...RUN, expect: { usual: { quorum: 0.1 } } } }, /quorum/],
    ['too much to learn', { mars: { ...RUN, expect: { usual: { runs: 400 } } } }, /runs/],
  ]
  for (const [what, written, message] of refused)
    it(`refuses ${what}`, () => assert.match(refusalOf(written), message))

  it('says everything that is wrong at once', () => {
    const lines = refusalOf({ mars: { run: ['a'], product: ['b'], expect: { count: 1 } } }).split('\n')
    assert.equal(lines.length, 3)
  })
})

describe('runsShape', () => {
  it('has all settings named that do not exist, wherever they stand', () => {
    const expect = { usual: { rnus: 3, quorm: 1 }, cuont: 1 }
    const text = JSON.stringify({ runs: { mars: { ...RUN, closs: '24h', duee: '8h', expect } } })
    const { flaws } = readSettings(v.object({ runs: runsShape }), { text, source: 'test' })
    assert.deepEqual(flaws.map(({ path }) => path.join('.')).toSorted(), [
      'runs.mars.closs',
      'runs.mars.duee',
      'runs.mars.expect.cuont',
      'runs.mars.expect.usual.quorm',
      'runs.mars.expect.usual.rnus',
    ])
    assert.ok(flaws.every(({ reason }) => reason.includes('did you mean')))
  })
})
