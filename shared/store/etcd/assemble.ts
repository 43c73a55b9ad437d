/**
 * Joins the messages of one watch into whole revisions, in order.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { PackedEvents } from './packed_events.ts'
import { decodeEvents, decodeRevision, malformed, type WireObject } from './wire.ts'
import type { Revision, StoreEvent, WatchMessage } from '../store.ts'

/** Events of one revision held while it is incomplete: more than one deletion of a large keyspace makes. */
const MAX_PENDING_EVENTS = 2_000_000

/** Puts revisions together. */
export interface Assembler {
  /** First revision that has not been yielded. */
  readonly next: Revision
  /** Forgets the part of a revision that has come, because another connection begins with {@link Assembler.next}. */
  restart(): void
  /**
   * Yields what a message completes, while its events are decoded. etcd splits messages between revisions at will, and within a revision only where it says `fragment`: so the
   * last revision of a message is held exactly then.
   *
   * @throws {AvisoError} `ERR_STORE_PROTOCOL` when a message is not a watch message, or is out of order.
   */
  add(message: WireObject): Generator<WatchMessage, void, undefined>
}

/** Begins with revision `from`. */
export function createAssembler(from: Revision): Assembler {
  let next = from
  let pending: StoreEvent[] = []

  const complete = (revision: Revision): WatchMessage => {
    const events = pending
    next = revision + 1n
    pending = []
    return { kind: 'revision', revision, events }
  }
  return {
    get next() {
      return next
    },
    restart: () => {
      pending = []
    },
    add: function* (message) {
      const { events } = message
      if (events === undefined || isEmpty(events)) {
        const revision = decodeRevision(message)
        // Old members report progress behind the start of a watch; and within a revision it would say too much.
        if (revision < next - 1n || pending.length > 0) return
        next = revision + 1n
        yield { kind: 'progress', revision }
        return
      }
      let current = pending[0]?.kv.modRevision
      for (const event of events instanceof PackedEvents ? events : decodeEvents(events)) {
        const revision = event.kv.modRevision
        if (revision < (current ?? next)) throw disorder()
        if (current !== undefined && revision !== current) yield complete(current)
        current = revision
        if (pending.push(event) > MAX_PENDING_EVENTS) throw malformed(new Error('A revision has no end'))
      }
      if (message['fragment'] !== true && current !== undefined) yield complete(current)
    },
  }
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function disorder(): AvisoError {
  return new AvisoError('ERR_STORE_PROTOCOL', 'The store sent a revision again or too late')
}
