/**
 * Counts for one listener what matched, and why the rest did not. Pure: it is told one notification after another.
 *
 * @module
 */

import { accepts } from '#shared/notification/match.ts'
import type { FieldCondition, NotificationRequest } from '#shared/notification/notification.ts'

/** A notification, as the journal names it. */
export interface Candidate {
  readonly request: NotificationRequest
  readonly sequence: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What a listener would have got. */
export interface Tally {
  add(candidate: Candidate): void
  result(): TallyResult
}

export interface TallyResult {
  readonly matched: number
  readonly first: Candidate | undefined
  readonly last: Candidate | undefined
  /** Matches by hour, in hours since 1970. */
  readonly hours: ReadonlyMap<number, number>
  /** What all conditions but one took, by that one; the most excluded first. */
  readonly nearMisses: readonly NearMiss[]
}

export interface NearMiss {
  readonly field: string
  readonly excluded: number
  /** What the field had instead, and how often, the most frequent first. */
  readonly instead: readonly (readonly [value: string, count: number])[]
  /** Whether there were more values. */
  readonly isCut: boolean
}

export const HOUR_MS = 3_600_000
/** Values that are counted for a field. A field with more, such as a counter, says nothing by its values. */
const MOST_COUNTED = 1_000
/** Values that are told. */
const MOST_TOLD = 20

interface Missed {
  excluded: number
  readonly values: Map<string, number>
  isCut: boolean
}

/** An empty tally of a listener's conditions. */
export function createTally(conditions: ReadonlyMap<string, FieldCondition>): Tally {
  const tests = [...conditions]
  const missed = new Map<string, Missed>()
  const hours = new Map<number, number>()
  let matched = 0
  let first: Candidate | undefined
  let last: Candidate | undefined

  function miss(field: string, value: string): void {
    const of = missed.get(field) ?? { excluded: 0, values: new Map<string, number>(), isCut: false }
    missed.set(field, of)
    of.excluded++
    const count = of.values.get(value)
    if (count !== undefined || of.values.size < MOST_COUNTED) of.values.set(value, (count ?? 0) + 1)
    else of.isCut = true
  }
  return {
    add(candidate) {
      let failing: string | undefined
      for (const [field, condition] of tests) {
        if (holds(condition, candidate.request[field])) continue
        // With two conditions against it, no single one is the reason.
        if (failing !== undefined) return
        failing = field
      }
      if (failing !== undefined) return miss(failing, candidate.request[failing] ?? '')
      matched++
      first ??= candidate
      last = candidate
      const hour = Math.floor(candidate.at / HOUR_MS)
      hours.set(hour, (hours.get(hour) ?? 0) + 1)
    },
    result: () => ({
      matched,
      first,
      last,
      hours,
      nearMisses: [...missed].map(toNearMiss).toSorted(byExcluded),
    }),
  }
}

function holds(condition: FieldCondition, value: string | undefined): boolean {
  return value !== undefined && accepts(condition, value)
}

function toNearMiss([field, { excluded, values, isCut }]: readonly [string, Missed]): NearMiss {
  const instead = [...values].toSorted(([, a], [, b]) => b - a)
  return { field, excluded, instead: instead.slice(0, MOST_TOLD), isCut: isCut || instead.length > MOST_TOLD }
}

function byExcluded(a: NearMiss, b: NearMiss): number {
  return b.excluded - a.excluded
}
