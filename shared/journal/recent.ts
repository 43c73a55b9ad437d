/**
 * Journal values that this process has written or read a moment ago, with what they say. Several parts of a process read the same value: the
 * publisher that has written it, the publisher beside it, the hub. To read one takes many times as long as to compare it.
 *
 * @module
 */

import type { JournalBatch } from './journal.ts'

/** UTF-16 units of the values that are kept: eight of the longest, or a few dozen as singles at many connections make them. */
const MOST_UNITS = 256 * 1024
/** Units that tell most values apart: the id of the batch is among them. */
const NAME_UNITS = 48

export interface RecentJournals {
  /** @returns what a value says; `undefined` where it is not known. Its readers share it, and do not change it. */
  get(text: string): JournalBatch | undefined
  /** Keeps a value for a moment. */
  add(text: string, batch: JournalBatch): void
}

interface Known {
  readonly text: string
  readonly batch: JournalBatch
}

export function createRecentJournals(): RecentJournals {
  /** Oldest first. */
  const known = new Map<string, Known>()
  let units = 0
  function drop(name: string): void {
    units -= known.get(name)?.text.length ?? 0
    known.delete(name)
  }
  return {
    get: (text) => {
      const found = known.get(text.slice(0, NAME_UNITS))
      return found?.text === text ? found.batch : undefined
    },
    add: (text, batch) => {
      if (text.length > MOST_UNITS) return
      const name = text.slice(0, NAME_UNITS)
      drop(name)
      known.set(name, { text, batch })
      units += text.length
      for (const oldest of known.keys()) {
        if (units <= MOST_UNITS) return
        drop(oldest)
      }
    },
  }
}
