/**
 * What an operator decides about the admin's work, as its configuration says.
 *
 * @module
 */

/** Retention of one event type. Absent members: as for all. */
export interface EventRetention {
  /** Milliseconds. */
  readonly ageMs?: number | undefined
  /** Most notifications to keep; the newest stay. */
  readonly count?: number | undefined
  /** Field of the key that dates a notification. */
  readonly dateField?: string | undefined
}

/** The admin's settings. */
export interface AdminSettings {
  /** How long the store's history stays readable: what listeners can replay; milliseconds. */
  readonly historyMs: number
  /** How long notifications are kept; milliseconds. */
  readonly ageMs: number
  /** By event type. */
  readonly events: Readonly<Record<string, EventRetention>>
  /** Longest time between two runs of the compactor that counts: a longer one may be a clock that was turned. Milliseconds. */
  readonly longestGapMs: number
  /** Prefixes outside which nothing is ever deleted. */
  readonly roots: readonly string[]
  /** Store key of the history of aviso 1.x's compactor, read once. */
  readonly legacyHistoryKey: string
  /** Members with so much unused room, and more of it than of used, are defragmented after a compaction; absent: by hand only. Bytes. */
  readonly defragmentWasteBytes: number | undefined
}

/** The longest age that the history must tell. */
export function longestAgeMs({ historyMs, ageMs, events }: AdminSettings): number {
  return Math.max(historyMs, ageMs, ...Object.values(events).map((event) => event.ageMs ?? 0))
}
