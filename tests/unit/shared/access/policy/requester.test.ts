import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import * as v from 'valibot'
import type { Audit, AuditRecord } from '#shared/access/audit/audit.ts'
import { silentAudit } from '#shared/access/audit/audit.ts'
import type { AvisoError } from '#shared/errors.ts'
import type { ChainVerdict, IdentityChain } from '#shared/access/identity/chain.ts'
import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import type { VerdictOptions } from '#shared/access/identity/identity.ts'
import { createIdentify, type Identify } from '#shared/access/policy/requester.ts'
import { quotaSettings } from '#shared/access/quota/settings.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'

const RIGHT = 'Bearer right'

function request(headers: Record<string, string> = {}): Request {
  return new Request('http://aviso.test/v3/kv/range', { method: 'POST', headers })
}

describe('createIdentify()', () => {
  let clock: ManualClock
  let counters: Counters
  let records: AuditRecord[]
  let options: (VerdictOptions | undefined)[]
  let verdict: () => ChainVerdict
  let address: string | undefined
  let identify: Identify

  beforeEach(() => {
    clock = createManualClock()
    counters = createCounters()
    records = []
    options = []
    address = '192.0.2.1'
    verdict = () => {
      const identity = { provider: 'p', realm: 'r', username: 'joe', roles: [], claims: {} }
      return { kind: 'identified', identity, validUntil: clock.monotonic() + 30_000 }
    }
    const chain: IdentityChain = {
      challenges: [{ scheme: 'Bearer', realm: 'aviso' }],
      identify: (credential, given) => {
        options.push(given)
        return credential.header === RIGHT ? verdict() : { kind: 'refused', reason: 'unknown' }
      },
    }
    const audit: Audit = { ...silentAudit, record: (record) => records.push(record) }
    const failures = v.parse(quotaSettings, {}).wrongCredentialsPerAddress
    identify = createIdentify({
      chain,
      audit,
      clock,
      count: counters.count,
      addressOf: () => address,
      failures,
    })
  })

  it('tells who it is, with a name that no other identity can have', async () => {
    const requester = await identify(request({ authorization: RIGHT }))
    assert.equal(requester.identity?.username, 'joe')
    assert.equal(requester.name, '["r","joe"]')
    assert.deepEqual(requester.standing, { endsAt: undefined, validUntil: clock.monotonic() + 30_000 })
    assert.equal(requester.refusal().code, 'ERR_FORBIDDEN')
    assert.equal(requester.refusal().message, 'User not allowed to access the resource')
  })

  it('makes nobody in particular of a missing or malformed credential, and says what to send', async () => {
    const absent = await identify(request())
    assert.equal(absent.identity, undefined)
    const refusal = absent.refusal()
    assert.deepEqual([refusal.code, refusal.message], ['ERR_UNAUTHENTICATED', 'Missing Authorization header'])
    assert.equal(refusal.details['challenge'], 'Bearer realm="aviso"')
    const malformed = await identify(request({ authorization: 'tok' }))
    assert.equal(malformed.refusal().message, 'Missing X-Auth-Type header')
    assert.deepEqual(options, [])
    assert.equal(await absent.again(0), absent)
  })

  it('refuses a wrong credential with one text for every cause, and says so in the audit log', async () => {
    await assert.rejects(identify(request({ authorization: 'Bearer wrong' }), 'r-1'), (error: AvisoError) => {
      assert.equal(error.code, 'ERR_UNAUTHENTICATED')
      assert.equal(error.message, 'Invalid credentials or unauthorized token')
      assert.equal(error.details['challenge'], 'Bearer realm="aviso", error="invalid_token"')
      return true
    })
    const origin = { address: '192.0.2.1', requestId: 'r-1' }
    assert.deepEqual(records, [
      { action: 'refused', who: undefined, reason: 'ERR_UNAUTHENTICATED', ...origin },
    ])
  })

  it('verifies the same credential again on request', async () => {
    const requester = await identify(request({ authorization: RIGHT }))
    await requester.again(5000)
    assert.deepEqual(options, [{ onlyRemembered: false }, { maxAgeMs: 5000 }])
  })

  it('answers the 31st wrong credential of an address by 429, and lets in who is known', async () => {
    for (let attempt = 0; attempt < 30; attempt++) {
      await assert.rejects(identify(request({ authorization: `Bearer ${attempt}` })), {
        code: 'ERR_UNAUTHENTICATED',
      })
    }
    await assert.rejects(identify(request({ authorization: 'Bearer 31' })), (error: AvisoError) => {
      assert.equal(error.code, 'ERR_TOO_MANY_REQUESTS')
      assert.equal(error.details['retry_after'], 2)
      return true
    })
    assert.equal(counters.values().credentials_limited, 1)
    assert.deepEqual(options.at(-1), { onlyRemembered: true })
    assert.ok((await identify(request({ authorization: RIGHT }))).identity !== undefined)
    await clock.advance(2000)
    await assert.rejects(identify(request({ authorization: 'Bearer 32' })), { code: 'ERR_UNAUTHENTICATED' })
    address = '192.0.2.2'
    await assert.rejects(identify(request({ authorization: 'Bearer 33' })), { code: 'ERR_UNAUTHENTICATED' })
  })

  it('counts an IPv6 network as one, and puts the whole address on record', async () => {
    for (let attempt = 0; attempt < 30; attempt++) {
      address = `2001:db8::${attempt}`
      await assert.rejects(identify(request({ authorization: 'Bearer wrong' })), {
        code: 'ERR_UNAUTHENTICATED',
      })
    }
    address = '2001:db8::ffff'
    await assert.rejects(identify(request({ authorization: 'Bearer wrong' })), {
      code: 'ERR_TOO_MANY_REQUESTS',
    })
    assert.equal(records.at(-1)?.address, '2001:db8::ffff')
  })

  it('counts nobody whose address is not known', async () => {
    address = undefined
    for (let attempt = 0; attempt < 40; attempt++) {
      await assert.rejects(identify(request({ authorization: `Bearer ${attempt}` })), {
        code: 'ERR_UNAUTHENTICATED',
      })
    }
  })

  it('opens nothing by a verdict that is past its end, and counts that it was asked to', async () => {
    const identity = { provider: 'p', realm: 'r', username: 'joe', roles: [], claims: {} }
    verdict = () => ({ kind: 'identified', identity, validUntil: clock.monotonic() - 60_000 })
    await assert.rejects(identify(request({ authorization: RIGHT })), { code: 'ERR_VERDICT_UNAVAILABLE' })
    const endsAt = clock.now() - 1
    verdict = () => ({
      kind: 'identified',
      identity: { ...identity, endsAt },
      validUntil: clock.monotonic() + 1,
    })
    await assert.rejects(identify(request({ authorization: RIGHT })), { code: 'ERR_VERDICT_UNAVAILABLE' })
    assert.equal(counters.values().fail_open, 2)
  })
})
