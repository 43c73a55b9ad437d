/**
 * Streams end when rights end, in the words of each generation of clients, and go on without loss when rights are given back.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { systemClock, type Clock } from '#shared/time/clock.ts'
import { active } from '../support/auth_servers.ts'
import { JOE_TOKEN } from '../support/auth_servers_system.ts'
import { createManualClock, createScaledClock } from '../support/clock.ts'
import { readLines, type ItemReader } from '../support/streams.ts'
import { CANARY, claimsOf, secondsAt, signToken } from '../support/tokens.ts'
import { readFrames, shown, type Frame } from './auth_fixture.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'
import { b64 } from '../support/etcd_wire.ts'

/** A minute in three seconds. Only what the servers behind are given stays as it is, for they are no faster than the machine. */
const SPEED = 20
/** Promise 6. */
const BOUND_MS = 65_000
/** What a busy machine may add to a measurement. */
const SLACK_MS = 2000

function withSystem(use: (test: IdentitySystem, clock: Clock) => Promise<void>): Promise<void> {
  const clock = createScaledClock(SPEED)
  return withSystemAt({ ...clock, sleep: systemClock.sleep, after: systemClock.after }, {}, (test) =>
    use(test, clock),
  )
}

async function withSystemAt(
  clock: Clock,
  vars: object,
  use: (test: IdentitySystem) => Promise<void>,
): Promise<void> {
  const test = await startIdentitySystem({ vars, clock })
  try {
    await use(test)
  } finally {
    await test.close()
  }
}

/** Publishes every second until it is told to stop. */
function publishing(test: IdentitySystem, clock: Clock, destination: string): () => Promise<number> {
  let published = 0
  let isOver = false
  const running = (async () => {
    while (!isOver) {
      await test.publish(destination, ++published)
      await clock.sleep(1000)
    }
  })()
  return async () => {
    isOver = true
    await running
    return published
  }
}

/** Steps that a stream delivered, and its last frame. */
async function readToEnd(frames: ItemReader<Frame>): Promise<{ steps: number[]; last: Frame }> {
  const all = await frames.rest()
  const steps = all.flatMap(({ data }) => {
    const step = data.data?.identifier['step']
    return step === undefined ? [] : [Number(step)]
  })
  const last = all.at(-1)
  assert.ok(last !== undefined)
  return { steps, last }
}

const upTo = (most: number): number[] => Array.from({ length: most }, (_, index) => index + 1)

describe('a stream whose right ends', () => {
  it('is ended after its token was revoked, in words that a 2.x client understands, and delivers nothing later', () =>
    withSystem(async (test, clock) => {
      const body = { event_type: 'dissemination', identifier: { destination: 'SCL' } }
      const frames = readFrames(await test.post('/api/v1/watch', body, bearer(JOE_TOKEN)))
      await clock.sleep(5000)
      test.standIns.authOTron.users.delete(`Bearer ${JOE_TOKEN}`)
      const revokedAt = clock.now()
      const stop = publishing(test, clock, 'SCL')
      const { steps, last } = await readToEnd(frames)
      const tookMs = clock.now() - revokedAt
      const published = await stop()
      assert.ok(tookMs <= BOUND_MS + SLACK_MS, `${tookMs} ms`)
      assert.equal(shown(last), 'connection-closing max_duration_reached')
      assert.deepEqual(steps, upTo(steps.length))
      assert.ok(steps.length <= published)
      // The client comes back at once, and is told.
      assert.equal((await test.post('/api/v1/watch', body, bearer(JOE_TOKEN))).status, 401)
    }))

  it('is ended after its destination was withdrawn, and goes on without loss when it is given back', () =>
    withSystem(async (test, clock) => {
      const path = '/api/v1/watch?event=dissemination&destination=SCL'
      const first = readFrames(await test.call(path, { headers: bearer(JOE_TOKEN) }))
      const stop = publishing(test, clock, 'SCL')
      await clock.sleep(5000)
      test.standIns.ecpds.users.set('joe', active('FOO'))
      const revokedAt = clock.now()
      const before = await readToEnd(first)
      const tookMs = clock.now() - revokedAt
      assert.ok(tookMs <= BOUND_MS + SLACK_MS, `${tookMs} ms`)
      assert.equal(shown(before.last), 'connection-closing auth_revoked')
      const headers = { ...bearer(JOE_TOKEN), 'last-event-id': String(before.last.data.position) }
      assert.equal((await test.call(path, { headers })).status, 403)
      test.standIns.ecpds.users.set('joe', active('SCL'))
      let again = await test.call(path, { headers })
      for (const limit = clock.now() + BOUND_MS; again.status === 403 && clock.now() < limit;) {
        await clock.sleep(1000)
        again = await test.call(path, { headers })
      }
      const second = readFrames(again)
      const published = await stop()
      const steps = [...before.steps]
      while (steps.length < published) {
        const { data } = await second.next(({ data: { data } }) => data !== undefined)
        steps.push(Number(data.data?.identifier['step']))
      }
      assert.deepEqual(steps, upTo(published))
      await second.close()
    }))

  it('is ended when its token ends, and says beforehand when that will be', () =>
    withSystem(async (test, clock) => {
      const exp = secondsAt(clock.now()) + 30
      const claims = claimsOf('olga', clock.now(), { destinations: ['SCL'], exp })
      const token = await signToken(test.standIns.issuerKey, claims)
      const path = '/api/v1/watch?event=dissemination&destination=SCL'
      const frames = readFrames(await test.call(path, { headers: bearer(token) }))
      const opening = await frames.next()
      const seconds = Number(opening.data['connection_will_close_in_seconds'])
      assert.ok(seconds > 80 && seconds <= 90, String(seconds))
      const { last } = await readToEnd(frames)
      const lateMs = clock.now() - (exp + 60) * 1000
      assert.ok(lateMs > -SLACK_MS && lateMs <= SLACK_MS, `${lateMs} ms`)
      assert.equal(shown(last), 'connection-closing auth_expired')
      await clock.sleep(SLACK_MS)
      assert.equal((await test.call(path, { headers: bearer(token) })).status, 401)
    }))

  it('is ended by an error line where it is a watch of 1.x', () =>
    withSystem(async (test, clock) => {
      const create = { key: b64('/ec/diss/SCL/'), range_end: b64('/ec/diss/SCL0') }
      const response = await test.post('/v3/watch', { create_request: create }, bearer(JOE_TOKEN))
      const lines = readLines(response)
      await clock.sleep(2000)
      test.standIns.authOTron.users.delete(`Bearer ${JOE_TOKEN}`)
      const last = (await lines.rest()).at(-1)
      const { error } = JSON.parse(last ?? '{}') as { error?: { grpc_code: number; message: string } }
      assert.deepEqual([error?.grpc_code, error?.message], [16, 'stream ended: auth_revoked'])
    }))

  it('goes on while the servers behind are down for a moment, and is ended when they stay down', () =>
    withSystem(async (test, clock) => {
      const path = '/api/v1/watch?event=dissemination&destination=SCL'
      const frames = readFrames(await test.call(path, { headers: bearer(JOE_TOKEN) }))
      const reading = readToEnd(frames)
      await test.standIns.authOTron.misbehave('status_500')
      await clock.sleep(40_000)
      await test.standIns.authOTron.misbehave(undefined)
      await clock.sleep(40_000)
      await test.publish('SCL', 1)
      await test.standIns.authOTron.misbehave('refuse')
      const downAt = clock.now()
      const { steps, last } = await reading
      assert.ok(clock.now() - downAt <= BOUND_MS + SLACK_MS)
      assert.deepEqual(steps, [1], 'it went on after the first time')
      assert.equal(shown(last), 'connection-closing auth_unavailable')
      assert.equal((await test.call(path, { headers: bearer(JOE_TOKEN) })).status, 503)
    }))

  it('is ended at once by a changed rule, and only where it concerns the stream', () =>
    withSystem(async (test, clock) => {
      const open = async (destination: string): Promise<ItemReader<Frame>> => {
        const claims = claimsOf('olga', clock.now(), {
          destinations: ['SCL', 'FOO'],
          exp: secondsAt(clock.now()) + 900,
        })
        const headers = bearer(await signToken(test.standIns.issuerKey, claims))
        return readFrames(
          await test.call(`/api/v1/watch?event=dissemination&destination=${destination}`, { headers }),
        )
      }
      const lost = await open('SCL')
      const kept = await open('FOO')
      const changedAt = clock.now()
      const rules = [
        { realm: 'openid', listen: ['/ec/diss/FOO/'] },
        { realm: 'local', roles: ['operator'], publish: 'everything' as const },
      ]
      test.system.replacePolicy({ public: { listen: [], publish: [] }, open: [], rules })
      assert.equal(shown((await readToEnd(lost)).last), 'connection-closing auth_revoked')
      assert.ok(clock.now() - changedAt <= 5000)
      assert.throws(
        () => test.system.replacePolicy({ public: { listen: ['nosuch'], publish: [] }, open: [], rules: [] }),
        {
          code: 'ERR_CONFIG',
        },
      )
      await clock.sleep(30_000)
      await test.publish('FOO', 7)
      const delivered = await kept.next(({ data }) => data.data !== undefined)
      assert.equal(delivered.data.data?.identifier['step'], '7')
      await kept.close()
    }))
})

const LIMITS = { quota: { streamsPerPrincipal: 32, opensPerPrincipal: { perSecond: 1, burst: 30 } } }

describe('the places for streams of one user', () => {
  it('are counted, refused by 429, and given back when a stream ends or is left', () => {
    // Time passes only where the test says so: how long thirty openings take must not decide how many are too many.
    const { now, monotonic, pass } = createManualClock(systemClock.now())
    return withSystemAt({ ...systemClock, now, monotonic }, LIMITS, async (test) => {
      const path = '/api/v1/watch?event=dissemination&destination=SCL'
      const open = (token: string): Promise<Response> => test.call(path, { headers: bearer(token) })
      const streams = await Promise.all(Array.from({ length: 30 }, () => open(JOE_TOKEN)))
      assert.ok(streams.every(({ status }) => status === 200))
      const tooFast = await open(JOE_TOKEN)
      const body = (await tooFast.json()) as { message: string }
      assert.equal(tooFast.status, 429, body.message)
      assert.match(body.message, /at most 1 a second, and 30 at once \(vars\.quota\.opensPerPrincipal\)/)
      assert.match(tooFast.headers.get('retry-after') ?? '', /^\d+$/)
      pass(5000)
      streams.push(await open(JOE_TOKEN), await open(JOE_TOKEN))
      const tooMany = await open(JOE_TOKEN)
      assert.equal(tooMany.status, 429)
      assert.match(await tooMany.text(), /"limit":"vars\.quota\.streamsPerPrincipal"/)
      // Nobody else is concerned.
      test.standIns.ecpds.users.set('ann', active('SCL'))
      const other = await open(`${CANARY}-ann`)
      assert.equal(other.status, 200)
      for (const stream of streams.slice(0, 2)) await stream.body?.cancel()
      pass(3000)
      assert.equal((await open(JOE_TOKEN)).status, 200)
      for (const stream of [other, ...streams.slice(2)]) await stream.body?.cancel()
      const metrics = await (await test.call('/metrics')).text()
      assert.match(metrics, /aviso_access_events_total\{event="openings_limited"\} 1\b/)
      assert.match(metrics, /aviso_access_events_total\{event="streams_limited"\} 1\b/)
    })
  })
})
