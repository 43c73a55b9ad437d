/**
 * Puts together what a round wrote down: what belongs to which life.
 *
 * @module
 */

import type { Chain, Operation, Run, StoredRevision } from '../records.ts'
import type { StoreView } from '../store_view.ts'
import { divide, type LifePlan } from './life_listener.ts'
import type { Claim, LifeRecord, Probe, Struck } from './life_records.ts'
import {
  isWhereItWas,
  livingChains,
  type Cast,
  type Crossing,
  type FirstLife,
  type RoundOptions,
  type SecondLife,
} from './life_parts.ts'

/** Everything that a round has seen. */
export interface Seen {
  readonly first: FirstLife
  readonly crossing: Crossing
  readonly second: SecondLife
  readonly probes: readonly Probe[]
}

const STALE_MS = 20_000

/** The record of a round. What lives on in the store is added to the world. */
export function toRecord(
  { kind, world }: Pick<RoundOptions, 'kind' | 'world'>,
  cast: Cast,
  { first, crossing, second, probes }: Seen,
): LifeRecord {
  const { known, saved } = first
  const { fresh, repeated, view, isLost } = second
  const { across, struck } = crossing
  const { wholeFrom } = world
  world.wholeFrom = struck.salvaged?.wholeFrom ?? wholeFrom
  const savedIds = new Set([...world.operations, ...saved.operations].map(({ id }) => id))
  world.claims.push(
    ...claimsOf([...known, ...across.operations, ...repeated.values(), ...fresh.operations]),
    ...storedClaims(first.view),
    ...storedClaims(view),
  )
  world.operations = [
    ...known.flatMap((operation) => carryOver(operation, repeated, view)),
    ...across.operations.map((operation) => acrossLives(operation, repeated, isLost)),
    ...fresh.operations,
  ].map((operation) => sinceThen(operation, world.wholeFrom))
  const listeners = cast.listeners.map(divide)
  const common = { compactions: [], staleMs: STALE_MS, isRenewed: true } as const
  const before: Run = {
    ...common,
    wholeFrom,
    operations: known,
    revisions: first.truth,
    chains: listeners.map((one) => upTo(one.before, first.truth)),
    endedAt: crossing.from,
  }
  const newcomers = new Map(cast.newcomers.map(({ chain, plan }) => [chain, plan]))
  const after: Run = {
    ...common,
    wholeFrom: world.wholeFrom,
    operations: world.operations,
    revisions: second.truth,
    chains: livingChains(cast, isLost)
      .filter(({ sessions }) => sessions.length > 0)
      .map((chain) => fromItsNumber(chain, newcomers.get(chain), { view, wholeFrom: world.wholeFrom })),
    endedAt: performance.now(),
  }
  return {
    kind,
    struck,
    isLost,
    lost: known.filter((operation) => !isKept(operation, second.view, struck)).length,
    before,
    after,
    across: across.operations,
    saved: savedIds,
    fresh: new Set(fresh.operations.map(({ id }) => id)),
    listeners,
    probes,
    unanswered: [...repeated.values()].filter((one) => !isStored(one)).map(({ id }) => id),
    claims: [...world.claims],
  }
}

/** A notification of the first life as the second life knows it: nothing, where it was lost and nobody sent it again. */
function carryOver(
  operation: Operation,
  repeated: ReadonlyMap<string, Operation>,
  view: StoreView,
): readonly Operation[] {
  const again = repeated.get(operation.id)
  if (isWhereItWas(operation, view)) return [withTries(operation, [operation, again])]
  return again === undefined ? [] : [again]
}

/** Nobody can tell to which life an answer belongs that came during the strike, so only later ones count. */
function acrossLives(
  operation: Operation,
  repeated: ReadonlyMap<string, Operation>,
  isLost: boolean,
): Operation {
  return withTries(operation, [isLost ? undefined : operation, repeated.get(operation.id)])
}

/** Without the answers that name a place before the one from which on history is whole. */
function sinceThen(operation: Operation, wholeFrom: bigint): Operation {
  const tries = operation.tries.filter(
    (answer) => answer.outcome !== 'stored' || answer.revision >= wholeFrom,
  )
  return { ...operation, tries }
}

/** Whether it is still there, though perhaps in a history that is no longer whole. */
function isKept(operation: Operation, view: StoreView, { salvaged }: Struck): boolean {
  if (isWhereItWas(operation, view)) return true
  return salvaged?.kept.some(({ writes }) => writes.some(({ value }) => value === operation.id)) ?? false
}

function withTries(operation: Operation, sources: readonly (Operation | undefined)[]): Operation {
  return { ...operation, tries: sources.flatMap((source) => source?.tries ?? []) }
}

function isStored({ tries }: Operation): boolean {
  return tries.some(({ outcome }) => outcome === 'stored')
}

/** What was delivered of a history that was read up to its end; what came during the strike is behind it. */
function upTo(chain: Chain, truth: readonly StoredRevision[]): Chain {
  const end = truth.at(-1)?.revision ?? 0n
  const sessions = chain.sessions.map((session) => ({
    ...session,
    steps: session.steps.filter((step) => !('position' in step) || step.position.revision <= end),
  }))
  return { ...chain, sessions }
}

/** A newcomer asks for a number, so everything from there on must come. */
function fromItsNumber(
  chain: Chain,
  plan: LifePlan | undefined,
  { view, wholeFrom }: { readonly view: StoreView; readonly wholeFrom: bigint },
): Chain {
  const [first, ...others] = chain.sessions
  const start = view.notifications.find(({ event }) => event === plan?.event)
  if (plan === undefined || first === undefined || start === undefined) return chain
  // The first one of what is whole: a stream may begin where that begins.
  const revision = (wholeFrom > 0n ? wholeFrom : start.revision) - 1n
  return { ...chain, sessions: [{ ...first, from: { revision } }, ...others] }
}

/** The numbers of acknowledgements. */
function claimsOf(operations: readonly Operation[]): readonly Claim[] {
  return operations.flatMap(({ id, event, tries }) =>
    tries.flatMap((answer) =>
      answer.outcome === 'stored' ? [{ number: `${event}@${answer.sequence}`, id }] : [],
    ),
  )
}

function storedClaims({ notifications }: StoreView): readonly Claim[] {
  return notifications.map(({ event, sequence, value }) => ({ number: `${event}@${sequence}`, id: value }))
}
