/**
 * The store's history as listeners may see it, and where each value is in it.
 *
 * @module
 */

import { firstIndex } from '#shared/search.ts'
import type { Position, Run, Selection, StoredRevision, Write } from './records.ts'

/** The smallest thing that is delivered: a notification, or all writes of a revision under a prefix. */
export interface Atom {
  readonly revision: bigint
  readonly index: number
  /** What is compared with a delivery. */
  readonly content: string
  /** For findings. */
  readonly label: string
  /** When the first publisher of it was answered; absent: nobody was. */
  readonly acknowledgedAt: number | undefined
}

/** A notification of the store. */
export interface StoredNotification {
  readonly revision: bigint
  readonly index: number
  readonly event: string
  readonly key: string
  readonly value: string
  readonly sequence: bigint
}

/** Looks into the store's history. */
export interface StoreView {
  /** All notifications, in order. */
  readonly notifications: readonly StoredNotification[]
  /** Those with this value, in order. */
  withValue(value: string): readonly StoredNotification[]
  hasRevision(revision: bigint): boolean
  /** What a selection should deliver, in order. */
  atoms(selection: Selection): readonly Atom[]
  /** The oldest revision that could be read at a time. */
  compactedBefore(at: number): bigint
}

/** Builds it in one pass; each selection costs one more. */
export function createStoreView({ operations, revisions: all, compactions, wholeFrom = 0n }: Run): StoreView {
  const revisions = all.filter(({ revision }) => revision >= wholeFrom)
  const acknowledged = new Map(
    operations.map(({ id, tries }) => [id, tries.find(({ outcome }) => outcome === 'stored')?.at]),
  )
  const notifications = revisions.flatMap(notificationsOf)
  const byValue = Map.groupBy(notifications, ({ value }) => value)
  const known = new Set(revisions.map(({ revision }) => revision))
  const asked = compactions.toSorted((a, b) => a.at - b.at)
  return {
    notifications,
    withValue: (value) => byValue.get(value) ?? [],
    hasRevision: (revision) => known.has(revision),
    compactedBefore: (at) => {
      let oldest = 0n
      for (const compaction of asked) {
        if (compaction.at > at) break
        if (compaction.revision > oldest) oldest = compaction.revision
      }
      return oldest
    },
    atoms: (selection) => {
      if (selection.kind === 'notifications') {
        return notifications
          .filter(({ event, key }) => event === selection.event && selection.matches(key))
          .map((notification) => ({
            revision: notification.revision,
            index: notification.index,
            content: notificationContent(notification),
            label: notification.value,
            acknowledgedAt: acknowledged.get(notification.value),
          }))
      }
      return revisions.flatMap(({ revision, writes }) => {
        const seen = writes.filter(({ key }) => key.startsWith(selection.prefix))
        if (seen.length === 0) return []
        const times = seen.flatMap(({ value }) => acknowledged.get(value) ?? [])
        return [
          {
            revision,
            index: 0,
            content: writesContent(seen),
            label: `${seen.length} writes`,
            acknowledgedAt: times.length === 0 ? undefined : Math.min(...times),
          },
        ]
      })
    },
  }
}

function notificationsOf({ revision, writes, journals }: StoredRevision): StoredNotification[] {
  const described = new Map(
    journals.flatMap(({ event, place, entries }) =>
      entries.map((entry, nth) => [entry.key, { event, index: place + nth, ...entry }] as const),
    ),
  )
  const found: StoredNotification[] = []
  for (const { kind, key, value } of writes) {
    const entry = described.get(key)
    if (kind === 'delete' || entry === undefined) continue
    const { event, index, sequence } = entry
    found.push({ revision, index, event, key, value, sequence: BigInt(sequence) })
  }
  return found
}

/** What of a notification is compared. */
export function notificationContent(notification: {
  readonly key: string
  readonly value: string
  readonly sequence: bigint | undefined
}): string {
  return `${notification.key} ${notification.sequence} ${notification.value}`
}

/** What of a revision is compared: everything, in order. */
export function writesContent(writes: readonly Write[]): string {
  return writes.map(writeContent).join('\n')
}

/** One line of {@link writesContent}. */
export function writeContent({ kind, key, value }: Write): string {
  return `${kind} ${key} ${value}`
}

/** Order of positions; a revision that is done comes after everything in it. */
export function comparePositions(a: Position, b: Position): number {
  if (a.revision !== b.revision) return a.revision < b.revision ? -1 : 1
  const [left, right] = [a.index ?? Infinity, b.index ?? Infinity]
  return left === right ? 0 : left - right
}

/** A position as text. */
export function formatPosition({ revision, index }: Position): string {
  return index === undefined ? `${revision}` : `${revision}.${index}`
}

/** First index from `start` on whose item is behind `position`. */
export function firstBehind(atoms: readonly Atom[], position: Position, start = 0): number {
  return firstIndex(atoms, (atom) => comparePositions(atom, position) > 0, start)
}
