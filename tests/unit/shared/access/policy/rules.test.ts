import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import type { Identity } from '#shared/access/identity/identity.ts'
import { compileRules, type Rule } from '#shared/access/policy/rules.ts'

function identity(more: Partial<Identity> = {}): Identity {
  return { provider: 'p', realm: 'ecmwf', username: 'joe', roles: ['reader'], claims: {}, ...more }
}

/** Whether a rule with these conditions applies. */
function applies(conditions: Partial<Rule>, who: Identity): boolean {
  return compileRules([{ realm: '*', ...conditions, admin: true }])(who).admin
}

describe('compileRules()', () => {
  it('grants nothing without a rule', () => {
    assert.deepEqual(compileRules([])(identity()), { listen: [], publish: [], admin: false, relay: false })
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

  it('grants what all rules that apply grant together', () => {
    const grants = compileRules([
      { realm: '*', listen: ['/ec/mars/'] },
      { realm: 'ecmwf', listen: ['/ec/diss/{destinations}/'], publish: [{ event: 'mars' }] },
      { realm: 'ecmwf', roles: ['writer'], listen: 'everything' },
      {
        realm: 'ecmwf',
        publish: [{ event: 'diss', prefixes: ['/ec/diss/{destinations}/', '/ec/diss/ALL/'] }],
      },
    ])
    assert.deepEqual(grants(identity({ claims: { destinations: ['A', 'B'] } })), {
      listen: ['/ec/mars/', '/ec/diss/A/', '/ec/diss/B/'],
      publish: [
        { event: 'mars', prefixes: 'everything' },
        { event: 'diss', prefixes: ['/ec/diss/A/', '/ec/diss/B/', '/ec/diss/ALL/'] },
      ],
      admin: false,
      relay: false,
    })
    assert.equal(grants(identity({ roles: ['writer'] })).listen, 'everything')
  })

  it('does not grant publishing to who may listen to everything, nor the reverse, nor either to an administrator', () => {
    const grants = (rule: Partial<Rule>): unknown => compileRules([{ realm: '*', ...rule }])(identity())
    assert.deepEqual(grants({ listen: 'everything' }), {
      listen: 'everything',
      publish: [],
      admin: false,
      relay: false,
    })
    assert.deepEqual(grants({ publish: 'everything' }), {
      listen: [],
      publish: 'everything',
      admin: false,
      relay: false,
    })
    assert.deepEqual(grants({ relay: true }), { listen: [], publish: [], admin: false, relay: true })
    assert.deepEqual(grants({ admin: true }), { listen: [], publish: [], admin: true, relay: false })
  })

  it('refuses rules with prefixes that cannot be granted', () => {
    assert.throws(() => compileRules([{ realm: '*', listen: ['/ec/mars'] }]), { code: 'ERR_CONFIG' })
    assert.throws(() => compileRules([{ realm: '*', publish: [{ event: 'x', prefixes: ['/'] }] }]), {
      code: 'ERR_CONFIG',
    })
  })
})
