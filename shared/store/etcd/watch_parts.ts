/**
 * Takes a long watch message of gRPC apart between two events, so that events can be read before their message has ended.
 *
 * Without `fragment`, etcd puts up to a thousand revisions into a message: many megabytes, of which a listener would wait for the last before
 * it gets the first. A part is a message like those that etcd makes with `fragment`.
 *
 * @module
 */

import { joinBytes, NO_BYTES } from '#shared/bytes/bytes.ts'
import { Reader, RESPONSE } from './packed_events.ts'

/** Some hundred events, which are decoded in a millisecond. */
export const PART_BYTES = 64 * 1024
/** The field `fragment`, true: the last revision goes on in the next part. */
const FRAGMENT = new Uint8Array([RESPONSE.fragment << 3, 1])

/** The parts of one message. */
export class WatchParts {
  /** What is before the first event; absent before the first part. */
  #head: Uint8Array | undefined
  /** What has come and is in no part. */
  #pieces: Uint8Array[] = []
  #bytes = 0
  /** How much there must be before a part is looked for. */
  #wanted = PART_BYTES

  /**
   * Takes the next bytes of the message.
   *
   * @param isLast Whether they end the message. What is left then is the last part.
   * @returns The part that ends in them.
   */
  add(piece: Uint8Array, isLast: boolean): Uint8Array | undefined {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    const head = this.#head ?? NO_BYTES
    if (isLast) return joinBytes([head, ...this.#pieces])
    if (this.#bytes < this.#wanted) return undefined
    const begun = joinBytes(this.#head === undefined ? this.#pieces : [head, FRAGMENT, ...this.#pieces])
    const events = findEvents(begun)
    if (events === undefined) {
      // One large event. To look for its end at each piece would take long.
      this.#wanted = 2 * this.#bytes
      return undefined
    }
    const { first, last } = events
    const rest = begun.subarray(last)
    this.#pieces = [rest]
    this.#bytes = rest.length
    this.#wanted = PART_BYTES + rest.length
    if (this.#head !== undefined) return begun.subarray(0, last)
    this.#head = begun.slice(0, first)
    return joinBytes([this.#head, FRAGMENT, begun.subarray(first, last)])
  }
}

/**
 * Where the first event of a message begins, and the last that is whole. That one begins the next part, because a part without an event
 * would be something else. `undefined` where there are no two.
 */
function findEvents(begun: Uint8Array): { readonly first: number; readonly last: number } | undefined {
  const reader = new Reader(begun, 0, begun.length)
  let first: number | undefined
  let last = 0
  try {
    while (reader.next()) {
      const { field, fieldStart } = reader
      reader.skip()
      if (field !== RESPONSE.events) continue
      first ??= fieldStart
      last = fieldStart
    }
  } catch {
    // The end has not come yet. What makes no sense is found when the events are read.
  }
  return first !== undefined && last > first ? { first, last } : undefined
}
