import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { contains, type IntervalSet } from '#shared/access/interval.ts'
import { compileGrants, type Scope } from '#shared/access/policy/grants.ts'
import type { WrittenGrants } from '#shared/access/policy/settings.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'

const ROOTS = new Map([
  ['flight', '/tmp/aviso/flight/'],
  ['dissemination', '/ec/diss/'],
  ['mars', '/ec/mars/'],
])
const KEYS = ['/tmp/aviso/flight/a', '/ec/diss/FOO/a', '/ec/diss/BAR/a', '/ec/mars/a', '/ec/config/aviso/v1']

interface Given {
  readonly right?: 'listen' | 'publish'
  readonly scope?: Scope
  readonly hasClaims?: boolean
  readonly claims?: JsonObject
}

interface Found {
  readonly keys: readonly string[]
  readonly problems: readonly string[]
}

/** Which of the keys are granted, and what is wrong. */
function found(written: WrittenGrants, given: Given = {}): Found {
  const { right = 'listen', hasClaims = true, claims = {} } = given
  const { scope = { roots: ROOTS, others: ['/ec/config/'] } } = given
  const problems: string[] = []
  const report = (problem: string): number => problems.push(problem)
  const grants = compileGrants(written, { path: 'p', right, scope, hasClaims, report })(claims)
  const isIn = (set: IntervalSet, key: string): boolean => contains(set, toBytes(key))
  // A grant to publish counts for its event type alone.
  const isOf = (event: string | undefined, key: string): boolean =>
    event === undefined || key.startsWith(ROOTS.get(event) ?? ' ')
  return {
    keys: KEYS.filter((key) => grants.some(({ event, keys }) => isOf(event, key) && isIn(keys, key))),
    problems,
  }
}

const problemsOf = (written: WrittenGrants, given: Given = {}): readonly string[] =>
  found(written, given).problems

describe('compileGrants()', () => {
  for (const right of ['listen', 'publish'] as const) {
    it(`reads each form alike for ${right}`, () => {
      const forms: readonly (readonly [WrittenGrants, readonly string[]])[] = [
        [[], []],
        ['everything', KEYS],
        [['flight'], ['/tmp/aviso/flight/a']],
        [[{ event: 'flight' }], ['/tmp/aviso/flight/a']],
        [[{ event: 'mars', prefixes: ['/ec/mars/'] }], ['/ec/mars/a']],
        [['/ec/diss/FOO/'], ['/ec/diss/FOO/a']],
        [[{ event: 'dissemination', prefixes: ['/ec/diss/FOO/'] }], ['/ec/diss/FOO/a']],
        [['/ec/diss/{own}/'], ['/ec/diss/BAR/a']],
        [
          ['mars', '/ec/diss/FOO/', { event: 'dissemination', prefixes: ['/ec/diss/{own}/'] }],
          ['/ec/diss/FOO/a', '/ec/diss/BAR/a', '/ec/mars/a'],
        ],
      ]
      for (const [written, keys] of forms)
        assert.deepEqual(
          found(written, { right, claims: { own: ['BAR'] } }),
          { keys, problems: [] },
          JSON.stringify(written),
        )
    })
  }

  it('names event types that no schema has, and what was meant', () => {
    assert.deepEqual(problemsOf(['fligth', 'nope', { event: 'marz', prefixes: ['/ec/mars/'] }]), [
      'p.0: no schema has the event type "fligth": did you mean "flight"?',
      'p.1: no schema has the event type "nope": known are dissemination, flight, mars',
      'p.2.event: no schema has the event type "marz": did you mean "mars"?',
    ])
    assert.deepEqual(problemsOf(['fligth'], { right: 'publish' }).length, 1)
  })

  it('says how a prefix must be written', () => {
    assert.match(
      problemsOf(['ec/mars/']).join(),
      /a prefix of keys has a slash at both ends: "\/ec\/mars\/"$/,
    )
    assert.match(problemsOf(['/ec/mars']).join(), /must begin and end with a slash: write "\/ec\/mars\/"$/)
    assert.match(problemsOf(['/ec/mars/*']).join(), /write "\/ec\/mars\/"$/)
    assert.match(problemsOf(['/']).join(), /write "everything" in place of the list/)
    assert.match(problemsOf(['/_aviso/x/']).join(), /the service's own/)
    assert.match(problemsOf(['/ec/diss/{own}/'], { hasClaims: false }).join(), /only in rules/)
  })

  it('reports a prefix that leads nowhere', () => {
    assert.deepEqual(problemsOf(['/ec/mras/', '/ec/', '/ec/mars/x/', '/ec/config/aviso/']), [
      'p.0: there are no keys below "/ec/mras/" to listen: did you mean "/ec/mars/"?',
    ])
    assert.match(problemsOf(['/ec/config/aviso/'], { right: 'publish' }).join(), /to publish: known are/)
    assert.deepEqual(problemsOf(['/ec/own/'], { scope: { roots: ROOTS } }), [])
    assert.match(
      problemsOf([{ event: 'mars', prefixes: ['/ec/diss/A/'] }]).join(),
      /^p\.0\.prefixes\.0: .*outside event type "mars", whose keys begin with \/ec\/mars\/$/,
    )
  })

  it('lets nobody listen to an event type alone whose keys lie among those of another', () => {
    const roots = new Map([
      ['outer', '/ec/'],
      ['inner', '/ec/inner/'],
    ])
    const scope = { roots }
    for (const written of [['outer'], ['inner']])
      assert.match(problemsOf(written, { scope }).join(), /cannot be granted alone: its keys lie among/)
    assert.deepEqual(problemsOf(['outer', 'inner'], { scope }), [])
    assert.deepEqual(problemsOf(['outer'], { scope, right: 'publish' }), [])
    assert.deepEqual(problemsOf([{ event: 'inner', prefixes: ['/ec/inner/'] }], { scope }), [])
  })
})
