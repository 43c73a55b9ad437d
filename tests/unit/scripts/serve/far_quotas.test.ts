import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createQuotas, type Quotas, type Taker } from '#shared/access/quota/quotas.ts'
import { createFarQuotas } from '../../../../scripts/serve/workers/far_quotas.ts'
import { createQuotaDoor } from '../../../../scripts/serve/workers/quota_door.ts'
import { createManualClock, settle } from '../../../support/clock.ts'

const JOE: Taker = { owner: 'PerPrincipal', key: 'joe' }
const NEIGHBOUR: Taker = { owner: 'PerAddress', key: '192.0.2.1' }
const FIRST_LIFE = 1

/** The quotas of a first worker, and of workers that ask it. */
function setUp() {
  const clock = createManualClock()
  const three = { perSecond: 1, burst: 3 }
  const limits = { streams: 4, opens: { perSecond: 1, burst: 1000 }, reads: three }
  const near = createQuotas(clock, {
    listening: {
      perIdentity: limits,
      perAddress: limits,
      streams: 6,
      reserves: { identities: 0, relays: 0 },
    },
    publishing: { perIdentity: three, perAddress: three },
  })
  const ended = new Set<number>()
  const door = createQuotaDoor(near, (life) => !ended.has(life))
  /** What is said goes through JSON, as between processes. */
  const far = (life: number): Quotas =>
    createFarQuotas(async (asked) =>
      JSON.parse(JSON.stringify(await door.ask(life, JSON.parse(JSON.stringify(asked))))),
    )
  const end = (life: number): void => {
    ended.add(life)
    door.ended(life)
  }
  return { near, far, end, clock }
}

/** How often something can be taken, one worker after the other. */
async function timesOf(takes: readonly (() => unknown)[]): Promise<number> {
  for (let times = 0; ; times++) {
    const taken = await takes[times % takes.length]?.()
    if (JSON.stringify(taken).includes('false') || !/true|taken/.test(JSON.stringify(taken))) return times
  }
}

describe('createFarQuotas()', () => {
  it('takes from one quota on all workers', async () => {
    const { near, far } = setUp()
    const workers = [near, far(FIRST_LIFE), far(FIRST_LIFE + 1)]
    const all = (take: (quotas: Quotas) => unknown): Promise<number> =>
      timesOf(workers.map((quotas) => () => take(quotas)))
    assert.equal(await all((quotas) => quotas.takeRead(JOE)), 3)
    assert.equal(await all(async (quotas) => (await quotas.publishing(JOE)).take()), 3)
    assert.equal(await all(async (quotas) => (await quotas.publishing(NEIGHBOUR)).take()), 3)
    assert.equal(await all((quotas) => quotas.takeStream({ taker: JOE, tier: 'identified' })), 4)
    assert.equal(await all((quotas) => quotas.takeStream({ tier: 'privileged' })), 2, 'all streams are 6')
  })

  it('says what is too much, and what is left', async () => {
    const { far } = setUp()
    const quotas = far(FIRST_LIFE)
    assert.equal(quotas.left(JOE, 'reads'), undefined)
    await quotas.takeRead(JOE)
    assert.deepEqual(quotas.left(JOE, 'reads'), { quota: 3, windowSeconds: 3, left: 2, resetSeconds: 1 })
    quotas.charge(JOE, 'reads', 4)
    assert.equal(quotas.left(JOE, 'reads')?.left, 0)
    assert.deepEqual(await quotas.takeRead(JOE), { isTaken: false, retryAfterSeconds: 3 })
    for (let stream = 0; stream < 4; stream++) await quotas.takeStream({ taker: JOE, tier: 'identified' })
    assert.deepEqual(await quotas.takeStream({ taker: JOE, tier: 'identified' }), { kind: 'streams' })
  })

  it('takes each notification of a batch of an address', async () => {
    const { near, far } = setUp()
    const takes = await far(FIRST_LIFE).publishing(NEIGHBOUR)
    assert.equal(await timesOf([takes.take]), 3)
    assert.deepEqual(takes.take(), { isTaken: false, retryAfterSeconds: 1 })
    await settle()
    assert.equal(near.left(NEIGHBOUR, 'publishes')?.left, 0)
  })

  it('gives streams back once, and all of a worker that has ended', async () => {
    const { near, far, end } = setUp()
    const wanted = { taker: JOE, tier: 'identified' } as const
    const [ended, living] = [far(FIRST_LIFE), far(FIRST_LIFE + 1)]
    for (let stream = 0; stream < 3; stream++) await ended.takeStream(wanted)
    const taken = await living.takeStream(wanted)
    assert.ok(taken.kind === 'taken')
    taken.giveBack()
    taken.giveBack()
    await settle()
    assert.equal(await timesOf([() => near.takeStream(wanted)]), 1)
    end(FIRST_LIFE)
    // What it had asked for may be read after its end.
    await ended.takeStream(wanted)
    assert.equal(await timesOf([() => living.takeStream(wanted)]), 3)
  })
})
