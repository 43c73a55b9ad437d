/**
 * What a lane has seen of the commits of other ingests, and has not taken yet.
 *
 * @module
 */

import type { KeyValue } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Frame } from './attempt.ts'
import type { Committer } from './committer.ts'
import { OTHERS } from './limits.ts'
import type { Others } from './others.ts'

export interface Seen {
  /** Whether there is nothing to take. */
  readonly isEmpty: boolean
  /**
   * Waits until there is something to take.
   *
   * @param until In monotonic time.
   * @returns whether there is; at once where the others are not followed
   */
  arrive(until: number): Promise<boolean>
  /** Has the committer take it all. What cannot be taken is forgotten, and read when it is needed. @throws {AvisoError} The store's error. */
  take(): Promise<void>
  /** Forgets it, because the store is another one. */
  forget(): void
}

export interface SeenParts {
  readonly others: Others
  readonly clock: Clock
  readonly committer: Pick<Committer, 'newest' | 'take'>
  readonly frame: Frame
  /** Called while much of it waits. */
  readonly onMany: () => void
}

export function createSeen({ others, clock, committer, frame, onMany }: SeenParts): Seen {
  /** Values of the journal, oldest first. */
  let seen: KeyValue[] = []
  let wake: (() => void) | undefined
  // Without a head, all will be read.
  const isNew = ({ modRevision }: KeyValue): boolean => {
    const newest = committer.newest()
    return newest !== undefined && modRevision > newest
  }
  others.register(frame.journalName, (journal) => {
    if (!isNew(journal)) return
    if (seen.push(journal) > OTHERS.mostSeen) seen = []
    if (seen.length >= OTHERS.idleSeen) onMany()
    wake?.()
  })
  return {
    get isEmpty() {
      return seen.length === 0
    },
    arrive: async (until) => {
      while (seen.length === 0 && others.isFollowing) {
        const leftMs = until - clock.monotonic()
        if (leftMs <= 0) break
        // Most values come while nothing waits for them, so what wakes costs nothing then.
        const woken = Promise.withResolvers<void>()
        wake = woken.resolve
        const stop = clock.after(leftMs, woken.resolve)
        await woken.promise
        stop()
        wake = undefined
      }
      return seen.length > 0
    },
    take: async () => {
      if (seen.length === 0) return
      const values = seen.filter(isNew)
      seen = []
      if (values.length > 0) others.follow()
      for (const journal of values) await committer.take(journal)
    },
    forget: () => {
      seen = []
    },
  }
}
