/**
 * A round of lives: publish and listen, keep a copy, publish more, lose something while everything runs, then providers repeat what they sent
 * and send new notifications, and listeners come back where they were.
 *
 * @module
 */

import { eventually } from '../../support/waiting.ts'
import type { Door } from '../door.ts'
import { DESTINATIONS } from '../notifications.ts'
import { publish, repeat, type PublisherOptions } from '../publisher.ts'
import type { Operation, StoredRevision } from '../records.ts'
import { createStoreView, type StoreView } from '../store_view.ts'
import { hasArrived, startLifeListener, type LifePlan, type LivingListener } from './life_listener.ts'
import {
  isWhereItWas,
  livingChains,
  type Cast,
  type Crossing,
  type FirstLife,
  type Part,
  type RoundOptions,
  type SecondLife,
} from './life_parts.ts'
import type { LifeRecord } from './life_records.ts'
import { probe } from './probe.ts'
import { toRecord } from './to_record.ts'

/** Notifications per request of the publishers. */
const PUBLISHERS = [1, 1, 4]
const REQUESTS = 12
const THINK_MS = 10
/** While the store is away. */
const STRIKE_THINK_MS = 60
const POLL_MS = 20
const SETTLE_MS = 15_000
/** A restored etcd serves within 6 s, and one with other members after 15 s; the machine is busy. */
const RECOVERY_MS = 60_000

const PLANS: readonly LifePlan[] = [
  { name: 'flights', event: 'flight' },
  { name: 'files for FOO', event: 'dissemination', destination: DESTINATIONS[0] },
  { name: 'files for MACI', event: 'dissemination', destination: DESTINATIONS[2] },
]

/** Plays a round. @throws {Error} Where the system does not work before anything is struck. */
export async function playRound(options: RoundOptions): Promise<LifeRecord> {
  const { stage, world } = options
  world.rounds++
  const cast = startCast(options)
  try {
    const first = await liveFirst(options, cast)
    const crossing = await cross(options)
    const second = await liveOn(options, cast, { first, crossing })
    const probes = second.isLost
      ? await probe(
          stage.listening,
          cast.listeners,
          [first.view, second.view],
          crossing.struck.salvaged === undefined,
        )
      : []
    return toRecord(options, cast, { first, crossing, second, probes })
  } finally {
    await cast.leave()
  }
}

function startCast({ stage, dice, world }: RoundOptions): Cast {
  const stop = new AbortController()
  const start = (plan: LifePlan, doors: readonly [Door, ...Door[]]): LivingListener =>
    startLifeListener(plan, { doors, dice: dice.fork(`${plan.name} ${world.rounds}`), stop: stop.signal })
  const listeners = stage.listening.flatMap((door, index) =>
    PLANS.map((plan) => {
      const others = stage.listening.filter((other) => other !== door)
      return start({ ...plan, name: `${plan.name} ${index + 1}` }, [door, ...others])
    }),
  )
  const newcomers: LivingListener[] = []
  return {
    listeners,
    newcomers,
    start,
    leave: async () => {
      stop.abort()
      await Promise.all([...listeners, ...newcomers].map(({ done }) => done))
    },
  }
}

async function liveFirst(options: RoundOptions, { listeners }: Cast): Promise<FirstLife> {
  const { stage, world } = options
  await eventually('every listener has a place', () =>
    listeners.every((listener) => listener.oldCursor() !== undefined),
  )
  const saved = await publishPart('saved', options)
  await stage.save()
  const more = await publishPart('more', options)
  const truth = await stage.truth()
  const known = [...world.operations, ...saved.operations, ...more.operations]
  const view = viewOf(truth, known, world.wholeFrom)
  await eventually('everything is delivered', () =>
    hasArrived(
      listeners.map(({ chain }) => chain),
      view,
    ),
  )
  return { known, saved, more, truth, view }
}

/** Strikes while publishing goes on. */
async function cross(options: RoundOptions): Promise<Crossing> {
  const across: Part = { operations: [], drafts: [] }
  const stop = new AbortController()
  const requests = options.isQuiet === true ? 0 : Infinity
  const load = { requests, thinkMs: STRIKE_THINK_MS, perRequest: 1, stop: stop.signal }
  const publishing = publish({ ...publisherOf('across', options), ...across, ...load })
  const from = performance.now()
  try {
    const struck = await options.stage.strike(across.operations)
    options.onStrike?.(from, performance.now())
    return { from, struck, across }
  } finally {
    stop.abort()
    await publishing
  }
}

async function liveOn(
  options: RoundOptions,
  cast: Cast,
  { first, crossing }: { readonly first: FirstLife; readonly crossing: Crossing },
): Promise<SecondLife> {
  const { stage, dice, recoveryMs = RECOVERY_MS, settleMs = SETTLE_MS } = options
  const again = await Promise.all(
    [first.saved, first.more, crossing.across].map(({ drafts }, index) => {
      const parts = { dice: dice.fork(`again ${index} ${options.world.rounds}`), ingests: stage.ingests }
      return repeat(parts, drafts, recoveryMs)
    }),
  )
  const repeated = new Map(again.flat().map((operation) => [operation.id, operation]))
  const fresh = await publishPart('fresh', options)
  const truth = await stage.truth()
  const wholeFrom = crossing.struck.salvaged?.wholeFrom ?? options.world.wholeFrom
  const view = viewOf(truth, first.known, wholeFrom)
  const isLost =
    epochOf(truth) !== epochOf(first.truth) || !first.known.every((one) => isWhereItWas(one, view))
  for (const plan of PLANS) {
    const number = view.notifications.find(({ event }) => event === plan.event)?.sequence
    if (number === undefined) continue
    const newcomer = { ...plan, name: `new: ${plan.name}`, fromNumber: number }
    cast.newcomers.push(cast.start(newcomer, stage.listening))
  }
  await settle(settleMs, () => hasArrived(livingChains(cast, isLost), view))
  return { repeated, fresh, truth, view, isLost }
}

/** Waits until something holds, or until time is over: the checker says what is missing then. */
async function settle(ms: number, holds: () => boolean): Promise<void> {
  for (const limit = performance.now() + ms; performance.now() < limit && !holds();)
    await new Promise((done) => setTimeout(done, POLL_MS))
}

async function publishPart(name: string, options: RoundOptions): Promise<Part> {
  const part: Part = { operations: [], drafts: [] }
  const { requests = REQUESTS } = options
  const stop = new AbortController().signal
  await Promise.all(
    PUBLISHERS.map((perRequest, index) =>
      publish({
        ...publisherOf(`${name}${index}`, options),
        ...part,
        requests,
        perRequest,
        thinkMs: THINK_MS,
        stop,
      }),
    ),
  )
  return part
}

function publisherOf(
  name: string,
  { dice, world, stage }: RoundOptions,
): Pick<PublisherOptions, 'name' | 'dice' | 'ingests'> {
  const full = `r${world.rounds}-${name}`
  return { name: full, dice: dice.fork(full), ingests: stage.ingests }
}

function viewOf(
  revisions: readonly StoredRevision[],
  operations: readonly Operation[],
  wholeFrom: bigint,
): StoreView {
  return createStoreView({
    operations,
    revisions,
    compactions: [],
    chains: [],
    wholeFrom,
    staleMs: Infinity,
    endedAt: 0,
  })
}

function epochOf(revisions: readonly StoredRevision[]): string | undefined {
  return revisions.findLast(({ epoch }) => epoch !== undefined)?.epoch
}
