/**
 * What a round of lives is made of.
 *
 * @module
 */

import type { Dice } from '../../support/dice.ts'
import type { Door } from '../door.ts'
import type { Draft } from '../notifications.ts'
import type { Chain, Operation, StoredRevision } from '../records.ts'
import type { StoreView } from '../store_view.ts'
import { divide, type LifePlan, type LivingListener } from './life_listener.ts'
import type { Claim, LifeStage, Struck } from './life_records.ts'

/** What lives on from round to round on one store. */
export interface World {
  /** What the store holds, as its publishers saw it. */
  operations: readonly Operation[]
  readonly claims: Claim[]
  /** History is whole from this revision on, since pages of it were damaged. */
  wholeFrom: bigint
  rounds: number
}

/** A world in which nothing has happened yet. */
export function createWorld(): World {
  return { operations: [], claims: [], wholeFrom: 0n, rounds: 0 }
}

/** What a round is made with. */
export interface RoundOptions {
  /** Of the fault, for findings. */
  readonly kind: string
  readonly dice: Dice
  readonly world: World
  readonly stage: LifeStage
  /** Nothing is published during the strike, so that a repeated POST is the first that comes after it. */
  readonly isQuiet?: boolean
  /** Requests of each publisher, in each part of the round. */
  readonly requests?: number
  /** Longest wait for what must arrive at the end. */
  readonly settleMs?: number
  /** Longest wait until a store that lost something serves again. */
  readonly recoveryMs?: number
  /** Told when the strike begins, and when everything runs again. */
  readonly onStrike?: (from: number, until: number) => void
}

/** What was sent in one part of the round. */
export interface Part {
  readonly operations: Operation[]
  readonly drafts: Draft[]
}

/** The first life. */
export interface FirstLife {
  readonly known: readonly Operation[]
  readonly saved: Part
  readonly more: Part
  readonly truth: readonly StoredRevision[]
  readonly view: StoreView
}

/** The strike. */
export interface Crossing {
  readonly from: number
  readonly struck: Struck
  /** What was sent while it lasted. */
  readonly across: Part
}

/** The second life. */
export interface SecondLife {
  readonly repeated: ReadonlyMap<string, Operation>
  readonly fresh: Part
  readonly truth: readonly StoredRevision[]
  readonly view: StoreView
  readonly isLost: boolean
}

/** Who listens. */
export interface Cast {
  readonly listeners: readonly LivingListener[]
  /** They come at the end, and want everything from the first number on. */
  readonly newcomers: LivingListener[]
  start(plan: LifePlan, doors: readonly [Door, ...Door[]]): LivingListener
  leave(): Promise<void>
}

/** The connections of those who listen in the second life. */
export function livingChains({ listeners, newcomers }: Cast, isLost: boolean): readonly Chain[] {
  const old = isLost ? listeners.map((one) => divide(one).after) : listeners.map(({ chain }) => chain)
  return [...old, ...newcomers.map(({ chain }) => chain)]
}

/** Whether a notification is still where it was acknowledged; one that was not acknowledged may be anywhere. */
export function isWhereItWas({ id, tries }: Operation, view: StoreView): boolean {
  const acknowledged = tries.flatMap((answer) => (answer.outcome === 'stored' ? [answer] : []))
  if (acknowledged.length === 0) return true
  return view
    .withValue(id)
    .some((stored) =>
      acknowledged.some(
        ({ revision, sequence }) => revision === stored.revision && sequence === stored.sequence,
      ),
    )
}
