/**
 * What a round of lives writes down: a store that is published to and listened to, loses something, and lives on.
 *
 * @module
 */

import type { Door } from '../door.ts'
import type { Chain, Operation, Run, StoredRevision } from '../records.ts'
import type { NamedLoss } from './damaged_page.ts'

/** What a round strikes at. Its doors lead to the same services for the whole round, also when they are started again. */
export interface LifeStage {
  readonly ingests: readonly [Door, ...Door[]]
  readonly listening: readonly [Door, ...Door[]]
  /** Called when the first half of the first life is acknowledged. */
  save(): Promise<void>
  /**
   * Called when both halves are acknowledged and delivered. Everything runs again when it resolves.
   *
   * @param across What is published meanwhile.
   */
  strike(across: readonly Operation[]): Promise<Struck>
  /** Everything that the store holds now, from its first revision on. */
  truth(): Promise<readonly StoredRevision[]>
}

/** What a strike did, besides what the record shows. */
export interface Struck {
  /** Whether everything that was acknowledged before `save` must still be there, everything at all, or nothing. */
  readonly keeps: 'everything' | 'saved' | 'nothing' | 'unknown'
  /** What was salvaged of a damaged store; absent: nothing was. */
  readonly salvaged?: Salvaged
  /** What is wrong with how the store was started: a sentence each. */
  readonly complaints: readonly string[]
}

/** A store of which pages were damaged, when it is served again. */
export interface Salvaged {
  /** What is named as lost. */
  readonly loss: NamedLoss
  /** The first revision from which on history is whole. */
  readonly wholeFrom: bigint
  /** What it holds, before anything is sent again. */
  readonly kept: readonly StoredRevision[]
}

/** A question to a service with a place of the history that is lost, and its answer. */
export interface Probe {
  readonly listener: string
  readonly query: string
  readonly status: number
}

/** A listener over both lives. */
export interface LifeListener {
  /** Its connections until it was told. */
  readonly before: Chain
  /** Those after it started again. */
  readonly after: Chain
  readonly isTold: boolean
}

/** A number that was given out. */
export interface Claim {
  /** `event@number` */
  readonly number: string
  readonly id: string
}

/** The record of a round. */
export interface LifeRecord {
  readonly kind: string
  readonly struck: Struck
  /** Whether something was lost. If not, all places stay good. */
  readonly isLost: boolean
  /** Notifications of the first life that were acknowledged and are gone. */
  readonly lost: number
  /** The first life: what was acknowledged and delivered before the strike. */
  readonly before: Run
  /** The second: what the store holds at the end, and what was acknowledged and delivered until then. */
  readonly after: Run
  /** What was sent during the strike, with the answers that came then. */
  readonly across: readonly Operation[]
  /** Ids that were acknowledged before `save`. */
  readonly saved: ReadonlySet<string>
  /** Ids that were sent for the first time after the strike. */
  readonly fresh: ReadonlySet<string>
  readonly listeners: readonly LifeListener[]
  readonly probes: readonly Probe[]
  /** Ids that were never acknowledged after the strike, however long their providers tried. */
  readonly unanswered: readonly string[]
  /** Of both lives, and of those before. */
  readonly claims: readonly Claim[]
}
