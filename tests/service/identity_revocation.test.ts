/**
 * Promise 6 as a distribution: two hundred streams, each of another user, whose right ends at some moment in one of four ways; and none loses
 * anything when the right is given back.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { systemClock, type Clock } from '#shared/time/clock.ts'
import { active } from '../support/auth_servers.ts'
import { configOf } from '../support/auth_servers_system.ts'
import { createManualClock, driveClock } from '../support/clock.ts'
import type { ItemReader } from '../support/streams.ts'
import { CANARY, claimsOf, secondsAt, signToken } from '../support/tokens.ts'
import { readFrames, shown, type Frame } from './auth_fixture.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

/** Far finer than the bounds. */
const STEP_MS = 100
const STREAMS_PER_WAY = 50
/** Prime to the number of streams: each place once. */
const STRIDE = 21
/** All are open when the first right is taken away; all have been taken away this much later. */
const SPREAD_MS = 30_000
const PUBLISH_EVERY_MS = 5000
const PATH = '/api/v1/watch?event=dissemination&destination=SCL'
/** Shortest token of those that end by themselves: all streams are open by then. The others take up to half a minute longer. */
const TOKEN_SECONDS = 60

/** A way in which a right ends. */
interface Way {
  readonly name: string
  /** From the moment of {@link take}. */
  readonly boundMs: number
  /** What the stream says. */
  readonly reason: string
  /** Makes a user who may listen. @returns Their token. */
  readonly make: (user: string) => Promise<string>
  /** Takes the right away. @returns When it is gone. */
  readonly take: (user: string) => number
  /** Gives it back. @returns The token to come with. */
  readonly giveBack: (user: string) => Promise<string>
}

function waysOf({ standIns, system }: IdentitySystem, clock: Clock): readonly Way[] {
  const { authOTron, ecpds, issuerKey } = standIns
  const endsAt = new Map<string, number>()
  const ruled = new Set<string>()
  const { policy } = configOf(standIns.vars).vars
  const opaque = (user: string): string => `${CANARY}-${user}`
  const know = async (user: string): Promise<string> => {
    authOTron.users.set(`Bearer ${opaque(user)}`, { username: user })
    ecpds.users.set(user, active('SCL'))
    return opaque(user)
  }
  const sign = (user: string, seconds: number, claims: object = {}): Promise<string> => {
    const exp = secondsAt(clock.now()) + seconds
    endsAt.set(user, exp * 1000)
    return signToken(issuerKey, claimsOf(user, clock.now(), { ...claims, exp }))
  }
  const rule = (): void => {
    const rules = [{ realm: 'openid', users: [...ruled, 'nobody'], listen: ['/ec/diss/SCL/'] }]
    system.replacePolicy({ ...policy, rules: [...policy.rules, ...rules] })
  }
  return [
    {
      name: 'token revoked',
      boundMs: 65_000,
      reason: 'auth_revoked',
      make: know,
      take: (user) => {
        authOTron.users.delete(`Bearer ${opaque(user)}`)
        return clock.now()
      },
      giveBack: know,
    },
    {
      name: 'destination withdrawn',
      boundMs: 65_000,
      reason: 'auth_revoked',
      make: know,
      take: (user) => {
        ecpds.users.set(user, [{ name: 'SCL', active: false }])
        return clock.now()
      },
      giveBack: know,
    },
    {
      name: 'token expired',
      // The tolerance for clocks that differ, and a tick.
      boundMs: 62_000,
      reason: 'auth_expired',
      make: (user) => sign(user, TOKEN_SECONDS + (endsAt.size % 30), { destinations: ['SCL'] }),
      take: (user) => endsAt.get(user) ?? 0,
      giveBack: (user) => sign(user, 900, { destinations: ['SCL'] }),
    },
    {
      name: 'rule changed',
      // Two ticks.
      boundMs: 10_000,
      reason: 'auth_revoked',
      make: (user) => {
        ruled.add(user)
        rule()
        return sign(user, 900)
      },
      take: (user) => {
        ruled.delete(user)
        rule()
        return clock.now()
      },
      giveBack: (user) => {
        ruled.add(user)
        rule()
        return sign(user, 900)
      },
    },
  ]
}

const stepsOf = (frames: readonly Frame[]): number[] =>
  frames.flatMap(({ data }) => (data.data === undefined ? [] : [Number(data.data.identifier['step'])]))

describe('revocation', { timeout: 240_000 }, () => {
  it('ends every stream within its bound, and none has lost anything when it goes on', (context) =>
    measure(['token revoked', 'destination withdrawn', 'token expired'], (text) =>
      context.diagnostic?.(text),
    ))

  // By itself: a change of the rules has every stream checked, and would find out about the others.
  it('does so at once where a rule is changed', (context) =>
    measure(['rule changed'], (text) => context.diagnostic?.(text)))
})

/** Opens, takes away, gives back, and says how long it took. */
async function measure(names: readonly string[], diagnostic: (text: string) => void): Promise<void> {
  const clock = createManualClock(systemClock.now())
  let asked = 0
  const test = await startIdentitySystem({
    clock,
    // Time stands still while a server behind is asked: what is measured is the service, not the machine.
    fetchVerdict: async (url, init) => {
      asked++
      try {
        const response = await fetch(url, init)
        return new Response(await response.arrayBuffer(), response)
      } finally {
        asked--
      }
    },
  })
  const ways = waysOf(test, clock).filter(({ name }) => names.includes(name))
  const tookMs = new Map(ways.map(({ name }) => [name, [] as number[]]))
  const everyone = ways.length * STREAMS_PER_WAY
  let back = 0
  /** The last notification; known when everyone is back, so that there is one more to come for each of them. */
  let lastStep = Infinity

  let stopDriving = (): Promise<void> => Promise.resolve()

  async function publish(): Promise<void> {
    for (let step = 1; step <= lastStep; step++) {
      if (back === everyone) lastStep = step
      await test.publish('SCL', step)
      await clock.sleep(PUBLISH_EVERY_MS)
    }
  }

  /** @returns What it delivers until it ends; it is read from the first moment, as one that nobody reads is ended for that. */
  async function open(way: Way, user: string): Promise<{ readonly frames: Promise<Frame[]> }> {
    const frames = readFrames(await test.call(PATH, { headers: bearer(await way.make(user)) }))
    await frames.next()
    return { frames: frames.rest() }
  }

  /** Opens again where the stream ended, as soon as it is let in. */
  async function resume(way: Way, user: string, position: unknown): Promise<ItemReader<Frame>> {
    const headers = { ...bearer(await way.giveBack(user)), 'last-event-id': String(position) }
    for (let attempt = 0; attempt < 60; attempt++) {
      const response = await test.call(PATH, { headers })
      if (response.status === 200) return readFrames(response)
      await response.body?.cancel()
      await clock.sleep(1000)
    }
    throw new Error(`${way.name}: ${user} is not let in again`)
  }

  async function live(way: Way, index: number, frames: Promise<Frame[]>): Promise<void> {
    const user = userOf(way, index)
    // Evenly and in another order than they were opened, so that every place in the rhythm of checks is met.
    await clock.sleep((((index * STRIDE) % STREAMS_PER_WAY) / STREAMS_PER_WAY) * SPREAD_MS)
    const goneAt = way.take(user)
    const before = await frames
    tookMs.get(way.name)?.push(clock.now() - goneAt)
    const last = before.at(-1)
    assert.ok(last !== undefined)
    assert.equal(shown(last), `connection-closing ${way.reason}`, way.name)
    const after = await resume(way, user, last.data.position)
    back++
    const steps = stepsOf(before)
    while ((steps.at(-1) ?? 0) < lastStep) {
      const frame = await after.next(({ data }) => data.data !== undefined)
      steps.push(...stepsOf([frame]))
    }
    assert.deepEqual(
      steps,
      Array.from({ length: lastStep }, (_, place) => place + 1),
      `${way.name}: ${user}`,
    )
    await after.close()
  }

  try {
    const streams: { way: Way; index: number; frames: Promise<Frame[]> }[] = []
    // One after the other, before any time passes.
    for (const way of ways) {
      for (let index = 0; index < STREAMS_PER_WAY; index++)
        streams.push({ way, index, ...(await open(way, userOf(way, index))) })
    }
    stopDriving = driveClock(clock, STEP_MS, () => asked > 0)
    const publishing = publish()
    await Promise.all(streams.map(({ way, index, frames }) => live(way, index, frames)))
    await publishing
  } finally {
    back = everyone
    lastStep = 0
    await stopDriving()
    await test.close()
  }
  for (const { name, boundMs } of ways) {
    const sorted = tookMs.get(name)?.toSorted((a, b) => a - b) ?? []
    const at = (share: number): number => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0) / 1000
    const [p50, p99, most] = [at(0.5), at(0.99), at(1)].map((seconds) => seconds.toFixed(1))
    diagnostic(
      `${sorted.length} × ${name}: p50 ${p50} s, p99 ${p99} s, slowest ${most} s, bound ${boundMs / 1000} s; all went on without loss`,
    )
    assert.equal(sorted.length, STREAMS_PER_WAY)
    assert.ok(at(1) * 1000 <= boundMs, `${name}: ${most} s`)
  }
}

function userOf({ name }: Way, index: number): string {
  return `${name.replaceAll(' ', '-')}-${index}`
}
