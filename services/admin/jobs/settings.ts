/**
 * The settings of the admin's jobs, as the operator configures them.
 *
 * @module
 */

/** Retention of one event type. An absent member means: as for all event types. */
export interface EventRetention {
  /** Milliseconds. */
  readonly ageMs?: number | undefined
  /** Most notifications to keep; the newest stay. */
  readonly count?: number | undefined
  /** Most bytes of keys and values to keep; the newest stay. */
  readonly bytes?: number | undefined
  /** Field of the key that holds a notification's date. */
  readonly dateField?: string | undefined
}

export interface AdminSettings {
  /** How long the store's history stays readable, so how far back listeners can replay; milliseconds. */
  readonly historyMs: number
  /** How long notifications are kept; milliseconds. */
  readonly ageMs: number
  /** Event type → its own retention. */
  readonly events: Readonly<Record<string, EventRetention>>
  /** Longest time between two runs of the compactor that counts; milliseconds. A longer one may mean that the clock was set wrongly. */
  readonly longestGapMs: number
  /** Prefixes of keys. No key outside them is ever deleted. */
  readonly roots: readonly string[]
  /** Store key of the history that aviso 1.x's compactor kept. It is taken over once. */
  readonly legacyHistoryKey: string
  /** Members with so many unused bytes, and more unused than used, are defragmented after a compaction; absent: only by hand. */
  readonly defragmentWasteBytes: number | undefined
}

/** The longest age that the history must cover. */
export function longestAgeMs({ historyMs, ageMs, events }: AdminSettings): number {
  return Math.max(historyMs, ageMs, ...Object.values(events).map((event) => event.ageMs ?? 0))
}
