/**
 * Orders of the first worker to the others: lines of JSON on their standard input.
 *
 * @module
 */

import { createInterface } from 'node:readline'
import type { CountedOne } from '#shared/access/quota/elsewhere.ts'

/** What a worker is told to do. */
export type Order =
  /** As SIGHUP: policy, secrets and certificates are read again. */
  | { readonly kind: 'reload' }
  /** Streams end one after another over this time. */
  | { readonly kind: 'drain'; readonly ms: number }
  /** Others have taken these. */
  | { readonly kind: 'counted'; readonly counted: readonly CountedOne[] }
  /** Finish, and end. */
  | { readonly kind: 'stop' }

/** How a worker's work ends. */
export type OrderedEnd = 'stop' | 'first worker gone'

/** @returns what ends the work; every other order is given to `act` as it comes */
export function followOrders(input: NodeJS.ReadableStream, act: (order: Order) => void): Promise<OrderedEnd> {
  return new Promise((ended) => {
    const lines = createInterface({ input })
    lines.on('line', (line) => {
      const order = JSON.parse(line) as Order
      if (order.kind === 'stop') ended('stop')
      else act(order)
    })
    lines.once('close', () => ended('first worker gone'))
  })
}
