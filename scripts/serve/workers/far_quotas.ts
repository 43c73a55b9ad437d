/**
 * The quotas as a further worker has them: it asks the first worker for each thing that is taken.
 *
 * @module
 */

import type { QuotaLeft } from '#shared/access/quota/buckets.ts'
import type { Counted, Quotas, Taken, Taker } from '#shared/access/quota/quotas.ts'
import type { QuotaAnswer, QuotaAsk } from './quota_door.ts'

/** Takers whose rest is remembered for the answer to their request. More are not answered at the same moment. */
const MOST_REMEMBERED = 1000

/** @param ask Rejects where the first worker does not answer: then it is about to end, and all others with it. */
export function createFarQuotas(ask: (asked: QuotaAsk) => Promise<QuotaAnswer>): Quotas {
  const rests = createRests()
  let streams = 0

  /** Tells without waiting: what is told is done already. */
  function tell(asked: QuotaAsk): void {
    ask(asked).catch(() => undefined)
  }

  async function take(asked: Extract<QuotaAsk, { readonly kind: 'read' | 'publish' }>): Promise<Taken> {
    const { taken, left } = await ask(asked)
    rests.note(asked.taker, asked.kind === 'read' ? 'reads' : 'publishes', left)
    if ('isTaken' in taken) return taken
    throw new TypeError('The first worker gave the answer to another question')
  }

  return {
    takeRead: (taker) => take({ kind: 'read', taker }),
    charge: (taker, counted, units) => {
      rests.take(taker, counted, units)
      tell({ kind: 'charge', taker, counted, units })
    },
    async takeStream(wanted) {
      const stream = ++streams
      const { taken, left } = await ask({ kind: 'stream', stream, wanted })
      if (wanted.taker !== undefined) rests.note(wanted.taker, 'opens', left)
      if (!('isTaken' in taken)) return taken
      let isHeld = true
      return {
        kind: 'taken',
        giveBack: () => {
          if (isHeld) tell({ kind: 'leave', stream })
          isHeld = false
        },
      }
    },
    async publishing(taker) {
      if (taker.owner === 'PerPrincipal') {
        const taken = await take({ kind: 'publish', taker })
        return { take: () => taken }
      }
      const { left } = await ask({ kind: 'look', taker, counted: 'publishes' })
      rests.note(taker, 'publishes', left)
      return { take: () => takeOfRest(taker, left) }
    },
    left: rests.left,
  }

  /** Notifications of a batch are taken one by one, from what was left when the request came. */
  function takeOfRest(taker: Taker, atFirst: QuotaLeft | undefined): Taken {
    const { left, quota, windowSeconds } = rests.left(taker, 'publishes') ??
      atFirst ?? { left: 0, quota: 1, windowSeconds: 1 }
    if (left < 1) return { isTaken: false, retryAfterSeconds: Math.max(1, Math.ceil(windowSeconds / quota)) }
    rests.take(taker, 'publishes', 1)
    tell({ kind: 'charge', taker, counted: 'publishes', units: 1 })
    return { isTaken: true }
  }
}

/** What was left when the first worker said it last, less what was taken here since. */
function createRests() {
  const rests = new Map<string, QuotaLeft>()
  const keyOf = ({ owner, key }: Taker, counted: Counted): string => `${counted} ${owner} ${key}`
  return {
    note(taker: Taker, counted: Counted, left: QuotaLeft | undefined): void {
      const key = keyOf(taker, counted)
      rests.delete(key)
      if (left === undefined) return
      rests.set(key, left)
      for (const oldest of rests.keys()) {
        if (rests.size <= MOST_REMEMBERED) return
        rests.delete(oldest)
      }
    },
    take(taker: Taker, counted: Counted, units: number): void {
      const rest = rests.get(keyOf(taker, counted))
      if (rest === undefined) return
      const left = Math.max(0, Math.min(rest.quota, Math.floor(rest.left - units)))
      rests.set(keyOf(taker, counted), { ...rest, left })
    },
    left: (taker: Taker, counted: Counted): QuotaLeft | undefined => rests.get(keyOf(taker, counted)),
  }
}
