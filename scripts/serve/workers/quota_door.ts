/**
 * Quotas of several workers: the first one counts, and the others take from it, so that an identity has what the configuration says, on
 * whichever worker its connections are.
 *
 * @module
 */

import type { Counted, Quotas, Taken, TakenStream, Taker, WantedStream } from '#shared/access/quota/quotas.ts'
import type { QuotaLeft } from '#shared/access/quota/buckets.ts'

/** What a worker asks for, as JSON. */
export type QuotaAsk =
  | { readonly kind: 'read'; readonly taker: Taker }
  | { readonly kind: 'charge'; readonly taker: Taker; readonly counted: Counted; readonly units: number }
  /** The number is the asking worker's own: it gives the stream back with it. */
  | { readonly kind: 'stream'; readonly stream: number; readonly wanted: WantedStream }
  | { readonly kind: 'leave'; readonly stream: number }
  /** One request of an identity. */
  | { readonly kind: 'publish'; readonly taker: Taker }
  /** Only what is left. */
  | { readonly kind: 'look'; readonly taker: Taker; readonly counted: Counted }

/** What came of it, and what is left. */
export interface QuotaAnswer {
  readonly taken: Taken | Exclude<TakenStream, { readonly kind: 'taken' }>
  readonly left?: QuotaLeft | undefined
}

/** The first worker's side. */
export interface QuotaDoor {
  /** @param life The process that asks: what it holds is given back when it ends. */
  ask(life: number, ask: QuotaAsk): Promise<QuotaAnswer>
  /** A process has ended. */
  ended(life: number): void
}

const TAKEN: Taken = { isTaken: true }

/** Takes for other workers. @param isAlive Whether a process has not ended: one that has ended keeps nothing. */
export function createQuotaDoor(quotas: Quotas, isAlive: (life: number) => boolean): QuotaDoor {
  const held = new Map<number, Map<number, () => void>>()

  async function takeStream(life: number, stream: number, wanted: WantedStream): Promise<QuotaAnswer> {
    const taken = await quotas.takeStream(wanted)
    const left = wanted.taker && quotas.left(wanted.taker, 'opens')
    if (taken.kind !== 'taken') return { taken, left }
    const streams = held.get(life) ?? new Map<number, () => void>()
    if (isAlive(life)) held.set(life, streams.set(stream, taken.giveBack))
    else taken.giveBack()
    return { taken: TAKEN, left }
  }

  function leave(life: number, stream: number): void {
    const streams = held.get(life)
    streams?.get(stream)?.()
    streams?.delete(stream)
  }

  return {
    async ask(life, asked) {
      switch (asked.kind) {
        case 'read':
          return withLeft(asked.taker, 'reads', await quotas.takeRead(asked.taker))
        case 'publish':
          return withLeft(asked.taker, 'publishes', (await quotas.publishing(asked.taker)).take())
        case 'charge':
          quotas.charge(asked.taker, asked.counted, asked.units)
          return { taken: TAKEN }
        case 'look':
          return withLeft(asked.taker, asked.counted, TAKEN)
        case 'stream':
          return takeStream(life, asked.stream, asked.wanted)
        case 'leave':
          leave(life, asked.stream)
          return { taken: TAKEN }
      }
    },
    ended: (life) => {
      for (const giveBack of held.get(life)?.values() ?? []) giveBack()
      held.delete(life)
    },
  }

  function withLeft(taker: Taker, counted: Counted, taken: Taken): QuotaAnswer {
    return { taken, left: quotas.left(taker, counted) }
  }
}
