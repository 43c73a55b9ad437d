/**
 * What several workers of one launcher count together without waiting for each other: each tells the others what it has taken, and takes what
 * they tell. So a limit of attempts holds for all of them, but for those of the same moment.
 *
 * Quotas are not counted so: they are to be exact, and the first worker has them (`quotas.ts`).
 *
 * @module
 */

import type { Buckets } from './buckets.ts'

/** What is counted in every worker: wrong credentials by network, wrong tickets by network, tickets given out by identity. */
export type CountedEverywhere = 'credentials' | 'wrong_tickets' | 'tickets'

/** One that was taken. */
export interface CountedOne {
  readonly what: CountedEverywhere
  readonly key: string
}

/** The other workers. */
export interface Elsewhere {
  /** Tells them what was taken here. It does not wait, and does not throw. */
  tell(one: CountedOne): void
  /** @param take Is called with the key of each that they have taken. */
  follow(what: CountedEverywhere, take: (key: string) => void): void
}

/** The end of it that the launcher has. */
export interface ToldElsewhere extends Elsewhere {
  /** Takes what another worker has taken. */
  take(one: CountedOne): void
}

/** @param tell Tells all other workers. */
export function createElsewhere(tell: Elsewhere['tell']): ToldElsewhere {
  const followers = new Map<CountedEverywhere, (key: string) => void>()
  return {
    tell,
    follow: (what, take) => void followers.set(what, take),
    take: ({ what, key }) => followers.get(what)?.(key),
  }
}

/** The same buckets, whose takes count in every worker. @param elsewhere Absent: there are no other workers. */
export function countEverywhere(
  buckets: Buckets,
  what: CountedEverywhere,
  elsewhere: Elsewhere | undefined,
): Buckets {
  if (elsewhere === undefined) return buckets
  elsewhere.follow(what, (key) => buckets.charge(key, 1))
  return {
    take: (key) => {
      const isTaken = buckets.take(key)
      if (isTaken) elsewhere.tell({ what, key })
      return isTaken
    },
    charge: buckets.charge,
    has: buckets.has,
    retryAfterSeconds: buckets.retryAfterSeconds,
    left: buckets.left,
    get size() {
      return buckets.size
    },
  }
}
