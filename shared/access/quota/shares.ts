/**
 * Shares of all streams. Whoever has no identity cannot take the streams of those who have one, and neither can keep a relay
 * or an administrator out.
 *
 * @module
 */

/** Who shares the streams, from the last to the first. */
export type Tier =
  /** Requesters without an identity. */
  | 'nameless'
  /** Identities. */
  | 'identified'
  /** Relays and administrators. */
  | 'privileged'

/** The parts of all streams that are kept free, in percent. */
export interface Reserves {
  /** For identities. Relays and administrators may use it too. */
  readonly identities: number
  /** For relays and administrators. */
  readonly relays: number
}

/** All streams. */
export interface Shares {
  /** @returns a function that gives the stream back (calling it again does nothing), or `undefined` when the tier's share is used up. */
  take(tier: Tier): (() => void) | undefined
}

/** Shares of `total` streams. */
export function createShares(total: number, reserves: Reserves): Shares {
  const forRelays = Math.floor((total * reserves.relays) / 100)
  const forIdentities = Math.floor((total * reserves.identities) / 100)
  const mostOrdinary = total - forRelays
  const mostNameless = mostOrdinary - forIdentities
  const open: Record<Tier, number> = { nameless: 0, identified: 0, privileged: 0 }

  function isUsedUp(tier: Tier): boolean {
    const ordinary = open.nameless + open.identified
    if (tier === 'privileged') return ordinary + open.privileged >= total
    const isFull = ordinary >= mostOrdinary || ordinary + open.privileged >= total
    return isFull || (tier === 'nameless' && open.nameless >= mostNameless)
  }

  return {
    take(tier) {
      if (isUsedUp(tier)) return undefined
      open[tier]++
      let isHeld = true
      return () => {
        if (isHeld) open[tier]--
        isHeld = false
      }
    },
  }
}
