import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createIdentityChain } from '#shared/access/identity/chain.ts'
import { createCounters } from '#shared/access/identity/counters.ts'
import { NOT_MINE, type IdentityProvider, type Verdict } from '#shared/access/identity/identity.ts'
import { verdictUnavailable } from '#shared/access/identity/unavailable.ts'
import { createManualClock } from '../../../../support/clock.ts'
import { credentialOf } from './support.ts'

const CREDENTIAL = credentialOf('Bearer tok')
const FINAL: Verdict = { kind: 'refused', reason: 'expired', final: true }
const NO: Verdict = { kind: 'refused', reason: 'unknown' }

function yes(name: string): Verdict {
  const identity = { provider: name, realm: 'r', username: name, roles: [], claims: {} }
  return { kind: 'identified', identity, validUntil: Number.MAX_SAFE_INTEGER }
}

/** A provider that answers at once or later, and notes that it was asked. */
function provider(
  name: string,
  answer: Verdict | Error,
  asked: string[] = [],
  later = true,
): IdentityProvider {
  return {
    name,
    challenges: [{ scheme: 'Bearer', realm: name }],
    identify: () => {
      asked.push(name)
      if (answer instanceof Error) {
        if (later) return Promise.reject(answer)
        throw answer
      }
      return later ? Promise.resolve(answer) : answer
    },
  }
}

const DOWN = verdictUnavailable('down')

async function outcome(...providers: readonly IdentityProvider[]): Promise<string> {
  const chain = createIdentityChain({ providers, clock: createManualClock(), count: () => undefined })
  try {
    const verdict = await chain.identify(CREDENTIAL)
    return verdict.kind === 'identified' ? verdict.identity.username : verdict.reason
  } catch (error) {
    return error === DOWN ? 'unavailable' : String(error)
  }
}

describe('createIdentityChain()', () => {
  for (const later of [false, true]) {
    const when = later ? 'later' : 'at once'
    const a = (answer: Verdict | Error, asked?: string[]): IdentityProvider =>
      provider('a', answer, asked, later)
    const b = (answer: Verdict | Error, asked?: string[]): IdentityProvider =>
      provider('b', answer, asked, later)

    it(`takes the first yes and asks nobody behind it (answers ${when})`, async () => {
      const asked: string[] = []
      assert.equal(await outcome(a(yes('a'), asked), b(yes('b'), asked)), 'a')
      assert.deepEqual(asked, ['a'])
      assert.equal(await outcome(a(NOT_MINE), b(yes('b'))), 'b')
      assert.equal(await outcome(a(NO), b(yes('b'))), 'b')
    })

    it(`shows a credential that was refused for good to nobody else (answers ${when})`, async () => {
      const asked: string[] = []
      assert.equal(await outcome(a(FINAL, asked), b(yes('b'), asked)), 'expired')
      assert.deepEqual(asked, ['a'])
    })

    it(`says that it cannot tell rather than no, where somebody who might know is down (answers ${when})`, async () => {
      assert.equal(await outcome(a(DOWN), b(NO)), 'unavailable')
      assert.equal(await outcome(a(NO), b(DOWN)), 'unavailable')
      assert.equal(await outcome(a(DOWN), b(NOT_MINE)), 'unavailable')
      assert.equal(await outcome(a(DOWN), b(yes('b'))), 'b')
      assert.equal(await outcome(a(DOWN), b(FINAL)), 'expired')
    })

    it(`refuses what nobody knows (answers ${when})`, async () => {
      assert.equal(await outcome(a(NOT_MINE), b(NOT_MINE)), 'no provider knows this credential')
      assert.equal(await outcome(a(NO), b(NOT_MINE)), 'unknown')
      assert.equal(await outcome(), 'no provider knows this credential')
    })
  }

  it('answers at once where every provider does', () => {
    const chain = createIdentityChain({
      providers: [provider('a', NOT_MINE, [], false), provider('b', yes('b'), [], false)],
      clock: createManualClock(),
      count: () => undefined,
    })
    assert.ok(!(chain.identify(CREDENTIAL) instanceof Promise))
  })

  it('waits no longer than 2.8 s, however many providers hang', async () => {
    const clock = createManualClock()
    const hanging: IdentityProvider = {
      name: 'h',
      challenges: [],
      identify: () => new Promise(() => undefined),
    }
    const counters = createCounters()
    const chain = createIdentityChain({ providers: [hanging, hanging], clock, count: counters.count })
    const asked = Promise.resolve(chain.identify(CREDENTIAL))
    asked.catch(() => undefined)
    await clock.advance(2800)
    await assert.rejects(asked, { code: 'ERR_VERDICT_UNAVAILABLE', status: 503 })
    assert.equal(counters.values().unavailable, 1)
  })
})
