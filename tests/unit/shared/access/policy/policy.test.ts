import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import { verdictUnavailable } from '#shared/access/identity/unavailable.ts'
import { contains, normalise, toInterval, type IntervalSet } from '#shared/access/interval.ts'
import type { DestinationList } from '#shared/access/policy/destinations.ts'
import {
  createPolicy,
  type DestinationRights,
  type Policy,
  type PolicyRules,
} from '#shared/access/policy/policy.ts'
import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'

const ROOTS = new Map([
  ['flight', '/tmp/aviso/flight/'],
  ['dissemination', '/ec/diss/'],
  ['mars', '/ec/mars/'],
])
const NO_RULES: PolicyRules = { public: { listen: [], publish: [] }, open: [], rules: [] }
const JOE: Identity = { provider: 'p', realm: 'ecmwf', username: 'joe', roles: ['reader'], claims: {} }

const asking = (...prefixes: readonly string[]): IntervalSet =>
  normalise(prefixes.map((prefix) => toInterval(prefixRange(prefix))))
const publication = (event: string, key: string): { event: string; key: Uint8Array } => ({
  event,
  key: toBytes(key),
})

describe('createPolicy()', () => {
  let clock: ManualClock
  let counters: Counters
  let asked: string[]
  let list: DestinationList | Error
  let source: DestinationRights['source']

  beforeEach(() => {
    clock = createManualClock()
    counters = createCounters()
    asked = []
    list = { names: ['SCL', 'FOO'], validUntil: clock.monotonic() + 30_000 }
    source = {
      of: (username) => {
        asked.push(username)
        return list instanceof Error ? Promise.reject(list) : Promise.resolve(list)
      },
    }
  })

  function create(rules: Partial<PolicyRules>, realms: readonly string[] = ['ecmwf']): Policy {
    const destinations = { source, prefixes: ['/ec/diss/'], realms }
    const common = { rules: { ...NO_RULES, ...rules }, roots: ROOTS, clock, count: counters.count }
    return createPolicy(realms.length === 0 ? common : { ...common, destinations })
  }

  async function sees(policy: Policy, who: Identity | undefined, key: string): Promise<boolean> {
    const requested = asking(key.slice(0, key.lastIndexOf('/') + 1))
    return contains((await policy.visible(who, requested)).keys, toBytes(key))
  }

  it('shows nobody anything without a rule', async () => {
    const policy = create({}, [])
    for (const who of [undefined, JOE]) {
      for (const key of ['/ec/mars/a', '/ec/diss/SCL/a', '/tmp/aviso/flight/a', '/_aviso/epoch', '/zz']) {
        assert.equal(await sees(policy, who, key), false, key)
      }
      assert.equal(policy.mayPublish(who, publication('mars', '/ec/mars/a')), false)
      assert.equal(policy.isAdmin(who), false)
    }
  })

  it('shows public event types to everybody, open prefixes to every identity', async () => {
    const policy = create({ public: { listen: ['flight'], publish: [] }, open: ['/ec/mars/'] })
    assert.ok(await sees(policy, undefined, '/tmp/aviso/flight/a'))
    assert.ok(!(await sees(policy, undefined, '/ec/mars/a')))
    assert.ok(await sees(policy, JOE, '/ec/mars/a'))
    assert.ok(await sees(policy, JOE, '/tmp/aviso/flight/a'))
    assert.ok(!(await sees(policy, JOE, '/ec/marsupial/a')))
    assert.deepEqual(asked, [])
  })

  it('asks for destinations only where they matter for what is asked', async () => {
    const policy = create({
      open: ['/ec/mars/'],
      rules: [{ realm: '*', users: ['root'], listen: 'everything' }],
    })
    assert.ok(await sees(policy, JOE, '/ec/mars/a'))
    assert.ok(!(await sees(policy, JOE, '/zz/a')))
    assert.ok(await sees(policy, { ...JOE, username: 'root' }, '/ec/diss/SCL/a'))
    assert.ok(!(await sees(policy, undefined, '/ec/diss/SCL/a')))
    assert.deepEqual(asked, [])
    assert.ok(await sees(policy, JOE, '/ec/diss/SCL/a'))
    assert.ok(!(await sees(policy, JOE, '/ec/diss/SCL2/a')))
    assert.ok(!(await sees(policy, JOE, '/ec/diss/SC/a')))
    assert.ok(!(await sees(policy, JOE, '/ec/diss/scl/a')))
    assert.deepEqual(asked, ['joe', 'joe', 'joe', 'joe'])
  })

  it('asks about user names of the realms whose names mean the same there', async () => {
    assert.ok(!(await sees(create({}), { ...JOE, realm: 'localrealm' }, '/ec/diss/SCL/a')))
    assert.deepEqual(asked, [])
    assert.ok(await sees(create({}, ['*']), { ...JOE, realm: 'localrealm' }, '/ec/diss/SCL/a'))
  })

  it('joins each destination to each prefix, as far as the requester meets what a prefix asks for', async () => {
    const readers = new Map([['/ec/mars/', [{ realm: 'ecmwf', roles: ['operator'] }]]])
    const destinations = { source, prefixes: ['/ec/diss/', '/ec/mars/'], realms: ['*'], readers }
    const policy = createPolicy({
      rules: NO_RULES,
      roots: ROOTS,
      clock,
      count: counters.count,
      destinations,
    })
    assert.ok(await sees(policy, JOE, '/ec/diss/SCL/a'))
    assert.ok(!(await sees(policy, JOE, '/ec/mars/SCL/a')))
    const operator = { ...JOE, roles: ['operator'] }
    assert.ok(await sees(policy, operator, '/ec/mars/SCL/a'))
    assert.ok(await sees(policy, operator, '/ec/diss/FOO/a'))
    assert.ok(!(await sees(policy, operator, '/ec/mars/BAR/a')))
    assert.ok(!(await sees(policy, { ...operator, realm: 'far' }, '/ec/mars/SCL/a')))
  })

  it('joins destinations also to what follows their keys, for who has a part of the prefixes alone', async () => {
    const readers = new Map([['/ec/mars/', [{ realm: 'ecmwf', roles: ['operator'] }]]])
    const destinations = { source, prefixes: ['/ec/diss/', '/ec/mars/'], realms: ['*'], readers }
    const roots = ['dissemination', 'mars'].map((event) => ({
      from: event === 'mars' ? '/ec/mars/' : '/ec/diss/',
      to: `/aviso/run/${event}/`,
      segments: ['taken' as const],
    }))
    const following = { event: 'run', root: '/aviso/run/', roots }
    const count = counters.count
    const policy = createPolicy({ rules: NO_RULES, roots: ROOTS, clock, count, destinations, following })
    assert.ok(await sees(policy, JOE, '/aviso/run/dissemination/SCL/a'))
    assert.ok(!(await sees(policy, JOE, '/aviso/run/dissemination/BAR/a')))
    assert.ok(!(await sees(policy, JOE, '/aviso/run/mars/SCL/a')))
    assert.ok(await sees(policy, { ...JOE, roles: ['operator'] }, '/aviso/run/mars/SCL/a'))
  })

  it('says until when a list counts, and gives the same object while nothing changes', async () => {
    const policy = create({ open: ['/ec/mars/'] })
    const first = await policy.visible(JOE, asking('/ec/diss/SCL/'))
    assert.equal(first.validUntil, clock.monotonic() + 30_000)
    assert.equal(await policy.visible(JOE, asking('/ec/diss/FOO/')), first)
    const open = await policy.visible(JOE, asking('/ec/mars/'))
    assert.equal(open.validUntil, undefined)
    assert.equal(await policy.visible(JOE, asking('/ec/mars/')), open)
    list = { names: ['FOO'], validUntil: clock.monotonic() + 30_000 }
    assert.ok(!(await sees(policy, JOE, '/ec/diss/SCL/a')))
  })

  it('has no answer where the list cannot be had', async () => {
    const policy = create({ open: ['/ec/mars/'] })
    list = verdictUnavailable('down')
    await assert.rejects(Promise.resolve(policy.visible(JOE, asking('/ec/diss/SCL/'))), {
      code: 'ERR_VERDICT_UNAVAILABLE',
    })
    assert.ok(await sees(policy, JOE, '/ec/mars/a'))
  })

  it('has no answer after 2.8 s', async () => {
    source = { of: () => new Promise(() => undefined) }
    const pending = Promise.resolve(create({}).visible(JOE, asking('/ec/diss/SCL/')))
    pending.catch(() => undefined)
    await clock.advance(2800)
    await assert.rejects(pending, { code: 'ERR_VERDICT_UNAVAILABLE' })
  })

  it('opens nothing by a list that is past its end, and counts that it was asked to', async () => {
    list = { names: ['SCL'], validUntil: clock.monotonic() - 60_000 }
    await assert.rejects(Promise.resolve(create({}).visible(JOE, asking('/ec/diss/SCL/'))), {
      code: 'ERR_VERDICT_UNAVAILABLE',
    })
    assert.equal(counters.values().fail_open, 1)
  })

  it('never shows the service’s own keys', async () => {
    const policy = create({ rules: [{ realm: '*', listen: 'everything' }] })
    assert.ok(!(await sees(policy, JOE, '/_aviso/epoch')))
    assert.ok(await sees(policy, JOE, '/_avisoz/x'))
  })

  it('lets publish by event type and prefix, and everybody where the event type is public', () => {
    const policy = create({
      public: { listen: [], publish: ['flight'] },
      rules: [
        {
          realm: 'ecmwf',
          roles: ['disseminator'],
          publish: [{ event: 'dissemination', prefixes: ['/ec/diss/SCL/'] }],
        },
        { realm: 'ecmwf', roles: ['archivist'], publish: [{ event: 'mars' }], admin: true },
        { realm: 'ecmwf', roles: ['root'], publish: 'everything' },
      ],
    })
    const may = (roles: readonly string[], event: string, key: string): boolean =>
      policy.mayPublish({ ...JOE, roles }, publication(event, key))
    assert.ok(policy.mayPublish(undefined, publication('flight', '/tmp/aviso/flight/x')))
    assert.ok(!policy.mayPublish(undefined, publication('mars', '/ec/mars/x')))
    assert.ok(may(['disseminator'], 'dissemination', '/ec/diss/SCL/x'))
    assert.ok(!may(['disseminator'], 'dissemination', '/ec/diss/SCL2/x'))
    assert.ok(!may(['disseminator'], 'dissemination', '/ec/diss/SCL'))
    assert.ok(!may(['disseminator'], 'mars', '/ec/diss/SCL/x'))
    assert.ok(may(['archivist'], 'mars', '/ec/mars/x'))
    assert.ok(!may(['archivist'], 'dissemination', '/ec/diss/SCL/x'))
    assert.ok(may(['root'], 'dissemination', '/ec/diss/SCL/x'))
    assert.ok(may(['disseminator', 'archivist'], 'mars', '/ec/mars/x'))
    assert.ok(policy.isAdmin({ ...JOE, roles: ['archivist'] }))
    assert.ok(!policy.isAdmin({ ...JOE, roles: ['root'] }))
  })

  it('takes one form for all rights', async () => {
    const policy = create(
      {
        public: {
          listen: ['/tmp/aviso/flight/'],
          publish: [{ event: 'mars', prefixes: ['/ec/mars/test/'] }],
        },
        open: ['mars'],
        rules: [
          { realm: '*', listen: [{ event: 'dissemination', prefixes: ['/ec/diss/A/'] }] },
          {
            realm: '*',
            publish: ['flight', '/ec/diss/B/', { event: 'dissemination', prefixes: ['/ec/diss/C/'] }],
          },
        ],
      },
      [],
    )
    assert.ok(await sees(policy, undefined, '/tmp/aviso/flight/a'))
    assert.ok(!(await sees(policy, undefined, '/ec/mars/a')))
    assert.ok(await sees(policy, JOE, '/ec/mars/a'))
    assert.ok(await sees(policy, JOE, '/ec/diss/A/a'))
    assert.ok(!(await sees(policy, JOE, '/ec/diss/B/a')))
    const may = (who: Identity | undefined, event: string, key: string): boolean =>
      policy.mayPublish(who, publication(event, key))
    assert.ok(may(undefined, 'mars', '/ec/mars/test/a'))
    assert.ok(!may(undefined, 'mars', '/ec/mars/a'))
    assert.ok(!may(undefined, 'flight', '/tmp/aviso/flight/a'))
    assert.ok(may(JOE, 'flight', '/tmp/aviso/flight/a'))
    assert.ok(may(JOE, 'mars', '/ec/mars/test/a'))
    assert.ok(may(JOE, 'dissemination', '/ec/diss/B/a'))
    assert.ok(may(JOE, 'dissemination', '/ec/diss/C/a'))
    assert.ok(!may(JOE, 'dissemination', '/ec/diss/A/a'))
  })

  it('makes public everything but the service’s own keys where that is written', async () => {
    const policy = create({ public: { listen: 'everything', publish: 'everything' } }, [])
    for (const who of [undefined, JOE]) {
      assert.ok(await sees(policy, who, '/ec/mars/a'))
      assert.ok(!(await sees(policy, who, '/_aviso/epoch')))
      assert.ok(policy.mayPublish(who, publication('mars', '/ec/mars/a')))
      assert.ok(!policy.isAdmin(who))
    }
  })

  it('tells all that is wrong at once, with its place', () => {
    const rules = [{ realm: '*', listen: ['nope', '/ec/mars'] }]
    assert.throws(() => create({ open: ['/x'], rules }), {
      code: 'ERR_CONFIG',
      message:
        /^vars\.policy\.open\.0: .*; vars\.policy\.rules\.0\.listen\.0: .*; vars\.policy\.rules\.0\.listen\.1: /,
    })
  })

  it('refuses rules about event types and prefixes that are not there', () => {
    const refused: readonly (readonly [Partial<PolicyRules>, RegExp])[] = [
      [{ public: { listen: ['nosuch'], publish: [] } }, /nosuch/],
      [{ public: { listen: [], publish: ['nosuch'] } }, /nosuch/],
      [{ open: ['/ec/mars'] }, /slash/],
      [{ rules: [{ realm: '*', publish: [{ event: 'nosuch' }] }] }, /nosuch/],
      [
        { rules: [{ realm: '*', publish: [{ event: 'mars', prefixes: ['/ec/diss/A/'] }] }] },
        /outside event type "mars"/,
      ],
    ]
    for (const [rules, message] of refused) {
      assert.throws(() => create(rules), { code: 'ERR_CONFIG', message }, JSON.stringify(rules))
    }
  })

  it('makes no event type public whose keys lie among those of a protected one', () => {
    const roots = new Map([
      ['outer', '/ec/'],
      ['inner', '/ec/inner/'],
    ])
    const open = (listen: string[]): Policy =>
      createPolicy({
        rules: { ...NO_RULES, public: { listen, publish: [] } },
        roots,
        clock,
        count: counters.count,
      })
    for (const listen of [['outer'], ['inner']])
      assert.throws(() => open(listen), { code: 'ERR_CONFIG', message: /lie among/ })
    assert.ok(open(['outer', 'inner']))
  })
})
