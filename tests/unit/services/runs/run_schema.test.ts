import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'

import { createRunKeys, createRunSchema, type RunFields } from '#services/runs/run_schema.ts'
import { contains } from '#shared/access/interval.ts'
import { createFollow } from '#shared/access/policy/following.ts'
import { setOf } from '#shared/access/policy/grants.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { BUILTIN_SCHEMAS } from '#shared/notification/builtin_schemas.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'
import { createDice } from '../../../support/dice.ts'

const ECMWF = { source: 'ecmwf', content: BUILTIN_SCHEMAS.get('ecmwf') }
const X = { type: 'StringHandler' }

/** An event type of 2.x whose keys have these fields in this order. */
const keyed = (event: string, ...order: readonly string[]): object => ({
  [event]: {
    topic: { base: event, key_order: order },
    identifier: Object.fromEntries(order.map((name) => [name, X])),
  },
})
const OWN = {
  source: 'own',
  content: {
    notification_schema: {
      ...keyed('one', 'x', 'y', 'z'),
      ...keyed('two', 'y', 'x', 'z'),
      ...keyed('last', 'z', 'y'),
    },
  },
}
const base = createSchemas([ECMWF, OWN])

/** The run schema of event types, compiled with theirs. */
function made(runs: RunFields): { readonly schemas: Schemas; readonly isVisible: Visible } {
  const { file, following } = createRunSchema(base, runs)
  const schemas = createSchemas([ECMWF, OWN, file])
  const follow = createFollow(following)
  const keys = createRunKeys(schemas)
  return {
    schemas,
    isVisible: (granted, event, run) => {
      const visible = follow(setOf(granted))
      const isSeen = contains(visible, toBytes(keys.baseOf({ event, run })))
      // The keys of its notifications lie below.
      assert.equal(contains(visible, toBytes(keys.of({ event, run }, 'complete').stem)), isSeen)
      return isSeen
    },
  }
}
type Visible = (granted: readonly string[], event: string, run: Readonly<Record<string, string>>) => boolean

const MODEL = { class: 'od', stream: 'oper', expver: '0001', date: '20260610', time: '12' }

describe('createRunSchema()', () => {
  it('has the fields of all runs, with the types of their products, those that rights depend on first', () => {
    const { schemas } = made(
      new Map([
        ['mars', Object.keys(MODEL)],
        ['dissemination', [...Object.keys(MODEL), 'destination']],
      ]),
    )
    const schema = schemas.require('run')
    assert.deepEqual(schema.requiredForListen, ['event_type', 'destination'])
    assert.deepEqual(schema.fields, ['event_type', 'destination', ...Object.keys(MODEL), 'state'])
    const keys = createRunKeys(schemas)
    assert.equal(
      keys.of({ event: 'mars', run: MODEL }, 'late').stem,
      '/aviso/run/mars/-/od/oper/0001/20260610/12/late',
    )
    assert.deepEqual(
      schemas.decodeKey('/aviso/run/dissemination/FOO/od/oper/0001/20260610/12/late')?.request['destination'],
      'FOO',
    )
    assert.throws(
      () => schema.encode({ ...MODEL, event_type: 'mars', destination: '-', state: 'soon' }),
      /state/,
    )
    assert.throws(
      () => schema.encode({ ...MODEL, event_type: 'mars', destination: '-', state: 'late', time: '13' }),
      /time/,
    )
  })

  it('makes the keys that clients of 1.x make by the schema of the README', async () => {
    const fields: readonly string[] = ['destination', ...Object.keys(MODEL)]
    const { schemas } = made(
      new Map([
        ['mars', Object.keys(MODEL)],
        ['dissemination', fields],
      ]),
    )
    const text = await readFile(new URL('../../../../services/runs/README.md', import.meta.url), 'utf8')
    const [, block = ''] = /^```json\n(\{\n {2}"run": [^`]*)```$/m.exec(text) ?? []
    const theirs = createSchemas([{ source: 'README.md', content: JSON.parse(block) as unknown }]).require(
      'run',
    )
    const run = { ...MODEL, destination: 'FOO' }
    const { stem, base: prefix } = theirs.encode({ ...run, event_type: 'dissemination', state: 'late' })
    const keys = createRunKeys(schemas)
    assert.deepEqual(
      [stem, prefix],
      [keys.of({ event: 'dissemination', run }, 'late').stem, keys.baseOf({ event: 'dissemination', run })],
    )
  })

  it('with one event type, has no field that it lacks', () => {
    const { schemas } = made(new Map([['mars', Object.keys(MODEL)]]))
    assert.deepEqual(schemas.require('run').requiredForListen, ['event_type'])
  })

  it('gives a run to who may listen to all of its products, in any order of fields', () => {
    const run = { x: 'a', y: 'b' }
    const { isVisible } = made(
      new Map([
        ['one', ['x', 'y']],
        ['two', ['x', 'y']],
        ['last', ['y']],
      ]),
    )
    for (const [granted, event, expected] of [
      ['/aviso2/one/', 'one', true],
      ['/aviso2/one/a/', 'one', true],
      ['/aviso2/one/a/b/', 'one', true],
      ['/aviso2/one/b/', 'one', false],
      ['/aviso2/one/a/c/', 'one', false],
      ['/aviso2/one/a/b/c/', 'one', false],
      ['/aviso2/two/', 'two', true],
      // Its keys have another order than those of runs, so that only a right to all of it counts.
      ['/aviso2/two/b/', 'two', false],
      ['/aviso2/two/a/', 'two', false],
      ['/aviso2/one/', 'two', false],
      ['/aviso2/', 'two', true],
      // The first field of its keys does not name a run.
      ['/aviso2/last/', 'last', true],
      ['/aviso2/last/b/', 'last', false],
      ['/aviso/run/', 'one', false],
      ['/aviso/', 'one', false],
      ['/aviso/run/one/a/', 'one', false],
    ] as const)
      assert.equal(isVisible([granted], event, run), expected, `${granted} ${event}`)
  })

  it('tells values apart that hold signs of keys', () => {
    const { isVisible } = made(new Map([['one', ['x']]]))
    for (const [granted, x, expected] of [
      ['/aviso2/one/a%2Fb/', 'a/b', true],
      ['/aviso2/one/a/', 'a/b', false],
      ['/aviso2/one/a%252Fb/', 'a/b', false],
      ['/aviso2/one/a%252Fb/', 'a%2Fb', true],
    ] as const)
      assert.equal(isVisible([granted], 'one', { x }), expected, `${granted} ${x}`)
  })

  it('by chance: sees a run if and only if a granted prefix holds all keys of its products', () => {
    const dice = createDice(20261130)
    const { isVisible } = made(new Map([['one', ['x', 'y']]]))
    const pick = (): string => dice.pick(['a', 'b', 'ab'])
    for (let round = 0; round < 2_000; round++) {
      const granted = Array.from({ length: dice.whole(0, 3) }, () => {
        const depth = dice.whole(0, 3)
        return `/aviso2/one/${Array.from({ length: depth }, () => `${pick()}/`).join('')}`
      })
      const run = { x: pick(), y: pick() }
      const products = `/aviso2/one/${run.x}/${run.y}/`
      assert.equal(
        isVisible(granted, 'one', run),
        granted.some((prefix) => products.startsWith(prefix)),
        `${granted.join()} ${products}`,
      )
    }
  })
})
