import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { silentAudit, type AuditRecord } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import { toInterval, toKeyRange } from '#shared/access/interval.ts'
import { RELAYED_RANGES } from '#shared/journal/journal.ts'
import {
  createAccessControl,
  type AccessControl,
  type Granted,
} from '#shared/access/policy/access_control.ts'
import { createPolicy, openPolicy, type Policy, type PolicyRules } from '#shared/access/policy/policy.ts'
import { identifyNobody, type Requester } from '#shared/access/policy/requester.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'
import { createManualClock } from '../../../../support/clock.ts'

const JOE: Identity = { provider: 'p', realm: 'r', username: 'joe', roles: ['reader'], claims: {} }
const CLOCK = createManualClock()

function policyOf(rules: PolicyRules['rules']): Policy {
  const all = { public: { listen: [], publish: [] }, open: [], rules }
  return createPolicy({
    rules: all,
    roots: new Map([['mars', '/ec/mars/']]),
    clock: CLOCK,
    count: () => undefined,
  })
}

function requesterOf(identity: Identity | undefined, validUntil = Infinity): Requester {
  const requester: Requester = {
    name: 'test',
    identity,
    standing: { endsAt: undefined, validUntil },
    again: () => Promise.resolve(requester),
    refusal: () => new AvisoError(identity === undefined ? 'ERR_UNAUTHENTICATED' : 'ERR_FORBIDDEN', 'No'),
  }
  return requester
}

const texts = ({ effective }: Granted): string[] =>
  effective.map(toKeyRange).map(({ key, end }) => `${toText(key)}|${end === undefined ? '' : toText(end)}`)

describe('createAccessControl()', () => {
  let records: AuditRecord[]
  let policy: Policy
  let access: AccessControl
  const joe = requesterOf(JOE)

  beforeEach(() => {
    records = []
    policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/'], publish: [{ event: 'mars' }] }])
    const audit = { ...silentAudit, record: (record: AuditRecord) => records.push(record) }
    access = createAccessControl({ identify: identifyNobody, policy: () => policy, audit })
  })

  it('grants what may be seen as a whole, without a word', async () => {
    assert.deepEqual(texts(await access.authorise(joe, [prefixRange('/ec/diss/FOO/')], 'refuse')), [
      '/ec/diss/FOO/|/ec/diss/FOO0',
    ])
    assert.deepEqual(records, [])
  })

  it('cuts a 1.x prefix down to what may be seen, and puts it on record', async () => {
    const granted = await access.authorise(joe, [prefixRange('/ec/diss/FOO')], 'narrow')
    assert.deepEqual(texts(granted), ['/ec/diss/FOO/|/ec/diss/FOO0'])
    assert.deepEqual(
      records.map(({ action, who, keys }) => ({ action, who, keys })),
      [
        {
          action: 'narrowed',
          who: { provider: 'p', realm: 'r', username: 'joe' },
          keys: ['/ec/diss/FOO…/ec/diss/FOP'],
        },
      ],
    )
  })

  it('refuses the same by our own API, and every other range that reaches too far by both', async () => {
    await assert.rejects(access.authorise(joe, [prefixRange('/ec/diss/FOO')], 'refuse'), {
      code: 'ERR_FORBIDDEN',
    })
    const wide: readonly KeyRange[] = [
      { key: toBytes('/ec/diss/FOO'), end: toBytes('/zz') },
      { key: toBytes('/ec/diss/FOO/'), end: END_OF_KEYS },
      prefixRange('/ec/diss/'),
      prefixRange('/ec/diss/FOOBAR/'),
      { key: toBytes('/ec/diss/FOO') },
      prefixRange('/_aviso/'),
    ]
    for (const range of wide) {
      await assert.rejects(
        access.authorise(joe, [range], 'narrow'),
        { code: 'ERR_FORBIDDEN' },
        toText(range.key),
      )
    }
    assert.ok(records.every(({ action }) => action === 'refused'))
    assert.equal(records.length, wide.length + 1)
  })

  it('refuses several ranges where one of them may not be seen', async () => {
    const ranges = [prefixRange('/ec/diss/FOO/'), prefixRange('/ec/diss/BAR/')]
    for (const wide of ['refuse', 'narrow'] as const) {
      await assert.rejects(access.authorise(joe, ranges, wide), { code: 'ERR_FORBIDDEN' })
    }
  })

  it('asks nobody in particular for a credential', async () => {
    const nobody = requesterOf(undefined)
    await assert.rejects(access.authorise(nobody, [prefixRange('/ec/diss/FOO/')], 'narrow'), {
      code: 'ERR_UNAUTHENTICATED',
    })
    assert.throws(() => access.requirePublish(nobody, { event: 'mars', key: toBytes('/ec/mars/x') }), {
      code: 'ERR_UNAUTHENTICATED',
    })
    assert.throws(() => access.requireAdmin(nobody), { code: 'ERR_UNAUTHENTICATED' })
  })

  it('says until when the answer counts', async () => {
    const granted = await access.authorise(requesterOf(JOE, 5000), [prefixRange('/ec/diss/FOO/')], 'refuse')
    assert.deepEqual(granted.standing, { endsAt: undefined, validUntil: 5000 })
  })

  it('notices that a right was taken away, also by a changed rule', async () => {
    const { effective } = await access.authorise(joe, [prefixRange('/ec/diss/FOO/')], 'refuse')
    assert.deepEqual(await access.stillAuthorised(joe, { effective }, 5000), {
      endsAt: undefined,
      validUntil: Infinity,
    })
    policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/d=1/'] }])
    await assert.rejects(access.stillAuthorised(joe, { effective }, 5000), { code: 'ERR_FORBIDDEN' })
    policy = policyOf([{ realm: 'r', listen: 'everything' }])
    await access.stillAuthorised(joe, { effective }, 5000)
  })

  it('gives a relay all of what it asks for that it may see, and what a hub needs of our own keys', async () => {
    policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/'], relay: true }])
    const hull = { key: toBytes('/_'), end: toBytes('/zz') }
    const { effective, relay } = await access.authorise(joe, [hull], 'narrow')
    assert.deepEqual(effective, [toInterval(prefixRange('/ec/diss/FOO/'))])
    assert.deepEqual(relay, { keys: RELAYED_RANGES.map(toInterval), visible: effective })
    const waiting = await access.authorise(joe, [{ key: toBytes('/_aviso/waiting/a') }], 'narrow')
    assert.deepEqual([waiting.effective, waiting.relay?.keys], [[], []])
    // Our own API refuses it what it refuses others.
    await assert.rejects(access.authorise(joe, [hull], 'refuse'), { code: 'ERR_FORBIDDEN' })
    await assert.rejects(access.authorise(joe, [prefixRange('/_aviso/')], 'refuse'), {
      code: 'ERR_FORBIDDEN',
    })
    await access.stillAuthorised(joe, { effective, ...(relay && { relay }) }, 5000)
    for (const rule of [
      { realm: 'r', listen: ['/ec/diss/FOO/'] },
      { realm: 'r', listen: ['/ec/diss/FOO/d=1/'], relay: true },
    ]) {
      policy = policyOf([rule])
      const granted = { effective: [], ...(relay && { relay }) }
      await assert.rejects(access.stillAuthorised(joe, granted, 5000), { code: 'ERR_FORBIDDEN' })
    }
    policy = policyOf([{ realm: 'r', listen: 'everything' }])
    await assert.rejects(access.authorise(joe, [{ key: toBytes('/_aviso/epoch') }], 'narrow'), {
      code: 'ERR_FORBIDDEN',
    })
  })

  it('lets publish what may be published, and puts refusals on record', () => {
    access.requirePublish(joe, { event: 'mars', key: toBytes('/ec/mars/x') })
    assert.deepEqual(records, [])
    assert.throws(() => access.requirePublish(joe, { event: 'diss', key: toBytes('/ec/diss/x') }), {
      code: 'ERR_FORBIDDEN',
    })
    assert.deepEqual(records[0], {
      action: 'refused',
      who: { provider: 'p', realm: 'r', username: 'joe' },
      reason: 'ERR_FORBIDDEN',
      event: 'diss',
      keys: ['/ec/diss/x'],
    })
  })

  it('lets administer who may', () => {
    assert.throws(() => access.requireAdmin(joe), { code: 'ERR_FORBIDDEN' })
    policy = policyOf([{ realm: 'r', admin: true }])
    access.requireAdmin(joe)
  })

  it('lets everybody do everything under the open policy, but see the service’s own keys', async () => {
    policy = openPolicy
    const nobody = await identifyNobody(new Request('http://aviso.test/'))
    const all = { key: new Uint8Array([0]), end: END_OF_KEYS }
    assert.deepEqual(texts(await access.authorise(nobody, [all], 'refuse')), [
      '\u0000|/_aviso/',
      '/_aviso0|\u0000',
    ])
    access.requirePublish(nobody, { event: 'mars', key: toBytes('/ec/mars/x') })
    access.requireAdmin(nobody)
    await assert.rejects(access.authorise(nobody, [prefixRange('/_aviso/')], 'narrow'), {
      code: 'ERR_FORBIDDEN',
    })
  })
})
