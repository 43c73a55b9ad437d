import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import type { WideRange } from '#shared/access/access.ts'
import { authoriseAgain, authoriseRead, type GrantedRead } from '#shared/access/authorise_read.ts'
import { toInterval, toKeyRange } from '#shared/access/interval.ts'
import type { Policy } from '#shared/access/policy/policy.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import type { Standing } from '#shared/access/policy/stream_rights.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { RELAYED_RANGES } from '#shared/journal/journal.ts'
import type { KeyRange } from '#shared/store/store.ts'
import { createMemoryAudit, identityOf, policyOf, requesterOf, type MemoryAudit } from './support.ts'

const JOE = identityOf('joe', ['reader'])

const texts = ({ keys }: GrantedRead): string[] =>
  keys.map(toKeyRange).map(({ key, end }) => `${toText(key)}|${end === undefined ? '' : toText(end)}`)

let audit: MemoryAudit
let policy: Policy
const joe = requesterOf(JOE)

function read(requester: Requester, ranges: readonly KeyRange[], wide: WideRange): Promise<GrantedRead> {
  return authoriseRead({ policy: () => policy, audit }, requester, ranges, wide)
}

function again(granted: Pick<GrantedRead, 'keys' | 'relay'>): Promise<Standing> {
  return authoriseAgain({ policy: () => policy }, joe, granted, 5000)
}

beforeEach(() => {
  audit = createMemoryAudit()
  policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/'], publish: [{ event: 'mars' }] }])
})

describe('authoriseRead()', () => {
  it('grants what may be seen as a whole, without a word', async () => {
    assert.deepEqual(texts(await read(joe, [prefixRange('/ec/diss/FOO/')], 'refuse')), [
      '/ec/diss/FOO/|/ec/diss/FOO0',
    ])
    assert.deepEqual(audit.records, [])
  })

  it('cuts a 1.x prefix down to what may be seen, and puts it on record', async () => {
    const granted = await read(joe, [prefixRange('/ec/diss/FOO')], 'narrow')
    assert.deepEqual(texts(granted), ['/ec/diss/FOO/|/ec/diss/FOO0'])
    assert.deepEqual(
      audit.records.map(({ action, who, keys }) => ({ action, who, keys })),
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
    await assert.rejects(read(joe, [prefixRange('/ec/diss/FOO')], 'refuse'), {
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
      await assert.rejects(read(joe, [range], 'narrow'), { code: 'ERR_FORBIDDEN' }, toText(range.key))
    }
    assert.ok(audit.records.every(({ action }) => action === 'refused'))
    assert.equal(audit.records.length, wide.length + 1)
  })

  it('refuses several ranges where one of them may not be seen', async () => {
    const ranges = [prefixRange('/ec/diss/FOO/'), prefixRange('/ec/diss/BAR/')]
    for (const wide of ['refuse', 'narrow'] as const) {
      await assert.rejects(read(joe, ranges, wide), { code: 'ERR_FORBIDDEN' })
    }
  })

  it('asks an anonymous requester for a credential', async () => {
    const nobody = requesterOf(undefined)
    await assert.rejects(read(nobody, [prefixRange('/ec/diss/FOO/')], 'narrow'), {
      code: 'ERR_UNAUTHENTICATED',
    })
  })

  it('says until when the answer counts', async () => {
    const granted = await read(requesterOf(JOE, 5000), [prefixRange('/ec/diss/FOO/')], 'refuse')
    assert.deepEqual(granted.standing, { endsAt: undefined, validUntil: 5000 })
  })

  it('gives a relay all of what it asks for that it may see, and what a hub needs of our own keys', async () => {
    policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/'], relay: true }])
    const hull = { key: toBytes('/_'), end: toBytes('/zz') }
    const { keys, relay } = await read(joe, [hull], 'narrow')
    assert.deepEqual(keys, [toInterval(prefixRange('/ec/diss/FOO/'))])
    assert.deepEqual(relay, { keys: RELAYED_RANGES.map(toInterval), visible: keys })
    const waiting = await read(joe, [{ key: toBytes('/_aviso/waiting/a') }], 'narrow')
    assert.deepEqual([waiting.keys, waiting.relay?.keys], [[], []])
    // Our own API refuses it what it refuses others.
    await assert.rejects(read(joe, [hull], 'refuse'), { code: 'ERR_FORBIDDEN' })
    await assert.rejects(read(joe, [prefixRange('/_aviso/')], 'refuse'), {
      code: 'ERR_FORBIDDEN',
    })
    await again({ keys, ...(relay && { relay }) })
    for (const rule of [
      { realm: 'r', listen: ['/ec/diss/FOO/'] },
      { realm: 'r', listen: ['/ec/diss/FOO/d=1/'], relay: true },
    ]) {
      policy = policyOf([rule])
      const granted = { keys: [], ...(relay && { relay }) }
      await assert.rejects(again(granted), { code: 'ERR_FORBIDDEN' })
    }
    policy = policyOf([{ realm: 'r', listen: 'everything' }])
    await assert.rejects(read(joe, [{ key: toBytes('/_aviso/epoch') }], 'narrow'), {
      code: 'ERR_FORBIDDEN',
    })
  })
})

describe('authoriseAgain()', () => {
  it('notices that a right was taken away, also by a changed rule', async () => {
    const { keys } = await read(joe, [prefixRange('/ec/diss/FOO/')], 'refuse')
    assert.deepEqual(await again({ keys }), {
      endsAt: undefined,
      validUntil: Infinity,
    })
    policy = policyOf([{ realm: 'r', listen: ['/ec/diss/FOO/d=1/'] }])
    await assert.rejects(again({ keys }), { code: 'ERR_FORBIDDEN' })
    policy = policyOf([{ realm: 'r', listen: 'everything' }])
    await again({ keys })
  })
})
