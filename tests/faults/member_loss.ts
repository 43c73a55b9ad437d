/**
 * Measures what a lost member costs: how long writes and streams pause when one of three is killed, paused or cut off, and nothing else goes wrong (DESIGN §5, promise 9).
 *
 * @module
 */

import { checkRun, type Violation } from './checker.ts'
import { startCompactor } from './compactor.ts'
import { delaysOf, longest } from './delays.ts'
import { createDice } from '../support/dice.ts'
import { doorTo } from './door.ts'
import { FAULTS, type FaultKind } from './fault_kinds.ts'
import { FLIGHT_PREFIX } from './notifications.ts'
import type { Chain, Operation } from './records.ts'
import { play } from './scene.ts'
import { startSite, type Site } from './site.ts'

/** What one loss cost. */
export interface MemberLoss {
  readonly kind: FaultKind
  /** Longest time without an acknowledgement around it, in milliseconds. */
  readonly writesMs: number
  /** Longest time without a delivery, of the listener that waited longest. */
  readonly streamsMs: number
  /** Longest time from an acknowledgement to its delivery. */
  readonly lagMs: number
}

/** What is measured. */
export interface MemberLossReport {
  readonly losses: readonly MemberLoss[]
  /** The same without a fault: what the machine itself costs. */
  readonly calm: Omit<MemberLoss, 'kind'>
  readonly violations: readonly Violation[]
}

const KINDS: readonly FaultKind[] = [
  'kill leader',
  'pause leader',
  'isolate leader',
  'kill follower',
  'pause follower',
  'isolate follower',
]
/** A member is away longer than anybody may need to notice. */
const AWAY_MS = 6_500
/** Around a fault, effects are looked for this much longer. */
const AFTER_MS = 1_500
const CALM_MS = 3_000
/** How long it is looked who delivers. */
const LOOK_MS = 500
const STALE_MS = 30_000
const SETTLE_MS = 10_000
/** Steady load from many publishers, so that a pause in the figures is a pause of the service. */
const PUBLISHERS = Array.from({ length: 12 }, () => 1)
const THINK_MS = 40

/** Measures it, one kind after the other. @param kinds Default: killed, paused and cut off; leader and follower. */
export async function measureMemberLoss(seed: number, kinds = KINDS): Promise<MemberLossReport> {
  const dice = createDice(seed)
  const site = await startSite(dice.fork('site'))
  const compactor = startCompactor(site.cluster)
  const spans: { readonly kind: FaultKind | 'calm'; readonly from: number; readonly until: number }[] = []
  try {
    const [first, second] = site.listening.map(({ process }) => doorTo(process.url))
    if (first === undefined || second === undefined) throw new Error('Nobody listens')
    const run = await play({
      name: `m${seed}`,
      dice: dice.fork('scene'),
      ingests: [doorTo(site.ingests[0].process.url), doorTo(site.ingests[1].process.url)],
      publishers: PUBLISHERS,
      thinkMs: THINK_MS,
      listeners: [
        { name: 'flights 1', what: { api: 'sse', event: 'flight' }, doors: [first] },
        { name: 'flights 2', what: { api: 'sse', event: 'flight' }, doors: [second] },
        { name: 'keys 1', what: { api: 'facade', prefix: FLIGHT_PREFIX }, doors: [first] },
        { name: 'keys 2', what: { api: 'facade', prefix: FLIGHT_PREFIX }, doors: [second] },
      ],
      faults: async (scene) => {
        const parts = { site, scene, compactor, dice: dice.fork('faults'), chooseFollower: busiest(site) }
        await scene.acknowledged(100)
        const calmFrom = performance.now()
        await new Promise((done) => setTimeout(done, CALM_MS))
        spans.push({ kind: 'calm', from: calmFrom, until: performance.now() })
        for (const kind of kinds) {
          const from = performance.now()
          await FAULTS[kind].run(parts, AWAY_MS)
          await new Promise((done) => setTimeout(done, AFTER_MS))
          spans.push({ kind, from, until: performance.now() })
          await scene.acknowledged(100)
        }
      },
      truth: async () => {
        await compactor.stop()
        await compactor.oracle.readOn()
        return compactor.oracle.revisions
      },
      compactions: compactor.compactions,
      staleMs: STALE_MS,
      settleMs: SETTLE_MS,
    })
    const cost = ({ from, until }: (typeof spans)[number]): Omit<MemberLoss, 'kind'> => ({
      writesMs: longestPause(acknowledgements(run.operations), from, until),
      streamsMs: Math.max(...run.chains.map((chain) => longestPause(deliveries(chain), from, until))),
      lagMs: longest(
        run.chains
          .flatMap((chain) => delaysOf(chain, run.operations))
          .filter(({ acknowledgedAt: at }) => at >= from && at <= until),
      ),
    })
    const calm = spans.find(({ kind }) => kind === 'calm')
    return {
      losses: spans.flatMap((span) => (span.kind === 'calm' ? [] : [{ kind: span.kind, ...cost(span) }])),
      calm: calm === undefined ? { writesMs: NaN, streamsMs: NaN, lagMs: NaN } : cost(calm),
      violations: checkRun(run),
    }
  } finally {
    await compactor.stop()
    await site.close()
  }
}

/** The member that delivers most to the listening services: the one whose loss they feel. */
function busiest({ listening }: Site): (followers: readonly [number, ...number[]]) => Promise<number> {
  const passed = (index: number): number =>
    listening.reduce((sum, { edges }) => sum + (edges[index]?.passed.answers ?? 0), 0)
  return async (followers) => {
    const before = followers.map((index) => [index, passed(index)] as const)
    await new Promise((done) => setTimeout(done, LOOK_MS))
    const delivered = before.map(([index, bytes]) => ({ index, bytes: passed(index) - bytes }))
    return delivered.toSorted((a, b) => b.bytes - a.bytes)[0]?.index ?? followers[0]
  }
}

function acknowledgements(operations: readonly Operation[]): readonly number[] {
  return operations.flatMap(({ tries }) => tries.find(({ outcome }) => outcome === 'stored')?.at ?? [])
}

function deliveries({ sessions }: Chain): readonly number[] {
  return sessions.flatMap(({ steps }) =>
    steps.flatMap(({ kind, at }) => (kind === 'notification' || kind === 'revision' ? [at] : [])),
  )
}

/** Longest time without one of these moments that begins or ends within a span. */
function longestPause(moments: readonly number[], from: number, until: number): number {
  const sorted = [...moments.filter((at) => at <= until), until].toSorted((a, b) => a - b)
  let longest = 0
  let before: number | undefined
  for (const at of sorted) {
    if (at >= from) longest = Math.max(longest, at - (before ?? from))
    before = at
  }
  return longest
}
