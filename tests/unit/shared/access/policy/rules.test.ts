import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Identity } from '#shared/access/identity/identity.ts'
import { compileRules, type CompiledRights, type Rule } from '#shared/access/policy/rules.ts'

const ROOTS = new Map([
  ['mars', '/ec/mars/'],
  ['diss', '/ec/diss/'],
])

function identity(more: Partial<Identity> = {}): Identity {
  return { provider: 'p', realm: 'ecmwf', username: 'joe', roles: ['reader'], claims: {}, ...more }
}

function compile(rules: readonly Rule[]): (identity: Identity | undefined) => CompiledRights {
  const policy = { public: { listen: [], publish: [] }, open: [], rules: [...rules] }
  return compileRules(policy, { roots: ROOTS }, (problem) => assert.fail(problem))
}

/** Whether a rule with these conditions applies. */
function applies(conditions: Partial<Rule>, who: Identity): boolean {
  return compile([{ realm: '*', ...conditions, admin: true }])(who).grants.admin.length > 0
}

/** What rules grant, as place, event type and prefixes. */
function granted(rules: readonly Rule[], who = identity()): object {
  const { listen, publish, admin, relay } = compile(rules)(who).grants
  const shown = (grants: typeof listen): unknown =>
    grants.map(({ path, event, prefixes }) => [path.replace('vars.policy.', ''), event, prefixes])
  return { listen: shown(listen), publish: shown(publish), admin, relay }
}

describe('compileRules()', () => {
  it('grants nothing without a rule', () => {
    assert.deepEqual(granted([]), { listen: [], publish: [], admin: [], relay: [] })
  })

  it('applies a rule only where all of its conditions hold', () => {
    const joe = identity({ claims: { attributes: { team: ['x', 'y'] } } })
    assert.ok(applies({}, joe))
    assert.ok(
      applies(
        { realm: 'ecmwf', roles: ['reader'], users: ['joe'], claims: { 'attributes.team': ['y'] } },
        joe,
      ),
    )
    assert.ok(applies({ roles: ['*'] }, identity({ roles: [] })))
    const wrong: readonly Partial<Rule>[] = [
      { realm: 'other' },
      { realm: 'ECMWF' },
      { roles: ['writer'] },
      { roles: ['read'] },
      { users: ['ann'] },
      { users: ['*'] },
      { claims: { 'attributes.team': ['z'] } },
      { claims: { 'attributes.team': ['x'], missing: ['x'] } },
      { realm: 'ecmwf', roles: ['reader'], users: ['ann'] },
    ]
    for (const conditions of wrong) assert.ok(!applies(conditions, joe), JSON.stringify(conditions))
  })

  it('lets the same role of another realm do nothing', () => {
    assert.ok(!applies({ realm: 'ecmwf', roles: ['reader'] }, identity({ realm: 'localrealm' })))
  })

  it('grants what all rules that apply grant together, each with its place', () => {
    const rules: readonly Rule[] = [
      { realm: '*', listen: ['/ec/mars/', 'diss'] },
      { realm: 'ecmwf', listen: ['/ec/diss/{destinations}/'], publish: ['mars'] },
      { realm: 'ecmwf', roles: ['writer'], listen: 'everything' },
      {
        realm: 'ecmwf',
        publish: [{ event: 'diss', prefixes: ['/ec/diss/{destinations}/', '/ec/diss/ALL/'] }],
      },
    ]
    assert.deepEqual(granted(rules, identity({ claims: { destinations: ['A', 'B'] } })), {
      listen: [
        ['rules.0.listen.0', undefined, ['/ec/mars/']],
        ['rules.0.listen.1', 'diss', 'everything'],
        ['rules.1.listen.0', undefined, ['/ec/diss/A/', '/ec/diss/B/']],
      ],
      publish: [
        ['rules.1.publish.0', 'mars', 'everything'],
        ['rules.3.publish.0', 'diss', ['/ec/diss/A/', '/ec/diss/B/', '/ec/diss/ALL/']],
      ],
      admin: [],
      relay: [],
    })
    const { listen } = compile(rules)(identity({ roles: ['writer'] })).grants
    assert.ok(listen.some(({ path }) => path === 'vars.policy.rules.2.listen'))
  })

  it('does not grant publishing to who may listen to everything, nor the reverse, nor either to an administrator', () => {
    const grants = (rule: Partial<Rule>): unknown => granted([{ realm: '*', ...rule }])
    const none = { listen: [], publish: [], admin: [], relay: [] }
    assert.deepEqual(grants({ listen: 'everything' }), {
      ...none,
      listen: [['rules.0.listen', undefined, 'everything']],
    })
    assert.deepEqual(grants({ publish: 'everything' }), {
      ...none,
      publish: [['rules.0.publish', undefined, 'everything']],
    })
    assert.deepEqual(grants({ relay: true }), { ...none, relay: ['vars.policy.rules.0.relay'] })
    assert.deepEqual(grants({ admin: true }), { ...none, admin: ['vars.policy.rules.0.admin'] })
  })

  it('gives who has no identity what is public, and nothing of what is open or in rules', () => {
    const rights = compileRules(
      {
        public: { listen: ['mars'], publish: [] },
        open: 'everything',
        rules: [{ realm: '*', listen: 'everything', publish: 'everything', admin: true, relay: true }],
      },
      { roots: ROOTS },
      (problem) => assert.fail(problem),
    )
    const { grants, unmet } = rights(undefined)
    assert.deepEqual(
      [...grants.listen, ...grants.publish].map(({ path }) => path),
      ['vars.policy.public.listen.0'],
    )
    assert.deepEqual([grants.admin, grants.relay], [[], []])
    assert.deepEqual(
      unmet.map(({ path }) => path),
      ['vars.policy.open', 'vars.policy.rules.0'],
    )
    assert.deepEqual(rights(identity()).unmet, [])
  })

  it('says which condition is not met', () => {
    const reasons = compile([
      { realm: 'ops', admin: true },
      { realm: '*', roles: ['writer', 'root'], admin: true },
      { realm: '*', users: ['ann'], admin: true },
      { realm: '*', claims: { team: ['x'] }, admin: true },
      { realm: '*', admin: true },
    ])(identity()).unmet.map(({ path, reason }) => `${path.slice(-1)}: ${reason}`)
    assert.deepEqual(reasons, [
      '0: realm is not "ops"',
      '1: has not the role writer or root',
      '2: the user is not ann',
      '3: claim team is not x',
    ])
  })
})
