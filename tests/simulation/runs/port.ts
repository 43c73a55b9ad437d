/**
 * What the simulation needs of a tracker. The judged one has this form; so have the broken ones by which the judge is judged.
 *
 * @module
 */

import type { Fields } from './truth.ts'

/** A product as the journal has it. */
export interface JudgedProduct {
  readonly event: string
  readonly fields: Fields
  readonly at: number
  readonly revision: bigint
  readonly sequence: number
}

/** The part of a run's view that is judged. */
export interface JudgedView {
  readonly id: string
  readonly event_type: string
  readonly run: Fields
  readonly received: number
  readonly expected: number | null
  readonly missing: {
    readonly count: number
    readonly products: readonly Fields[]
    readonly truncated: boolean
  }
  readonly eta: { readonly at: string; readonly from: string; readonly to: string } | null
  readonly repeated: number
}

export interface JudgedTransition {
  readonly run: JudgedView
  readonly state: 'started' | 'complete' | 'late' | 'recovered' | 'incomplete'
  readonly at: number
}

export interface JudgedBookmark {
  readonly since: number
  readonly events: Readonly<Record<string, { readonly sequence: number; readonly at: number }>>
}

/** A tracker under judgement. */
export interface JudgedTracker {
  take(product: JudgedProduct): void
  remove(removal: { readonly event: string; readonly fields: Fields; readonly at: number }): void
  tick(now: number): readonly JudgedTransition[]
  run(id: string, now: number): JudgedView | undefined
  /** Open runs, to be stored, too: a part of them. Absent: it does not do that. */
  takeOpen?(behind: number): readonly { readonly id: string; readonly text: string | null }[]
  takeStored(): readonly { readonly id: string; readonly text: string | null }[]
  bookmark(): JudgedBookmark
}

/** What is left of a tracker when its process ends. */
export interface Saved {
  readonly stored: readonly string[]
  readonly bookmark: JudgedBookmark
}

/** Makes a tracker: from nothing at the start, and anew from what was saved. */
export type OpenTracker = (from: Saved | { readonly since: number }) => JudgedTracker
