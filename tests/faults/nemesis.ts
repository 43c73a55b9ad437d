/**
 * The nemesis: strikes with one fault after another, drawn from a seed, and sometimes with two at once.
 *
 * @module
 */

import type { Dice } from '../support/dice.ts'
import { FAULTS, possibleFaults, type FaultKind, type FaultParts } from './fault_kinds.ts'

/** A fault that was struck. */
export interface StruckFault {
  /** A {@link FaultKind}, or that of a round of lives. */
  readonly kind: string
  readonly target: string
  /** From its beginning until everything was whole again, in milliseconds of `performance.now()`. */
  readonly from: number
  readonly until: number
}

/** Pauses between faults, and how long one lasts, in milliseconds. */
const PAUSE_MS = { least: 200, most: 1_500 } as const
const LENGTH_MS = { least: 600, most: 4_000 } as const
/** How often a second fault begins before the first has ended. */
const PAIR_CHANCE = 0.25

/** Strikes until the time is over, then leaves everything whole. @returns What it did. */
export async function strike(
  parts: FaultParts,
  { dice, untilMs, onStrike }: { dice: Dice; untilMs: number; onStrike: (fault: StruckFault) => void },
): Promise<void> {
  const deck = createDeck(possibleFaults(parts.site), dice)
  const one = async (kind: FaultKind, lengthMs: number): Promise<void> => {
    const from = performance.now()
    const target = await FAULTS[kind].run(parts, lengthMs)
    onStrike({ kind, target, from, until: performance.now() })
  }
  while (performance.now() < untilMs) {
    const kind = deck()
    const strikes = [one(kind, dice.whole(LENGTH_MS.least, LENGTH_MS.most))]
    if (dice.chance(PAIR_CHANCE)) {
      // Two faults of one kind of thing would undo each other.
      const second = deck((other) => FAULTS[other].area !== FAULTS[kind].area)
      await new Promise((done) => setTimeout(done, dice.whole(0, LENGTH_MS.least)))
      strikes.push(one(second, dice.whole(LENGTH_MS.least, LENGTH_MS.most)))
    }
    await Promise.all(strikes)
    await new Promise((done) => setTimeout(done, dice.whole(PAUSE_MS.least, PAUSE_MS.most)))
  }
}

/** Deals kinds of faults like cards, so that a short run meets as many kinds as it can. */
function createDeck(
  kinds: readonly FaultKind[],
  dice: Dice,
): (accept?: (kind: FaultKind) => boolean) => FaultKind {
  let deck: FaultKind[] = []
  return (accept = () => true) => {
    if (!deck.some(accept)) deck = [...deck, ...shuffle(kinds, dice)]
    const index = deck.findIndex(accept)
    return deck.splice(index, 1)[0] ?? dice.pick(kinds)
  }
}

function shuffle<Item>(items: readonly Item[], dice: Dice): Item[] {
  const rest = [...items]
  return items.flatMap(() => rest.splice(dice.whole(0, rest.length - 1), 1))
}
