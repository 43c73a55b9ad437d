/**
 * Admission: it checks whether a new stream can begin at the position that its listener asks for.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { within } from '#shared/time/deadline.ts'
import type { History } from './source/history.ts'
import type { StartPosition } from './hub.ts'
import { HISTORY_WAIT_MS, START_WAIT_MS } from './limits.ts'
import type { Ring } from './source/ring.ts'
import type { Upstream } from './source/upstream.ts'

export interface AdmissionParts {
  readonly store: Store
  readonly ring: Ring
  readonly history: History
  readonly upstream: Upstream
  readonly clock: Clock
  /** Whether the upstream has been disconnected for too long. */
  readonly isOut: () => boolean
  /** Aborted when the hub closes. */
  readonly signal: AbortSignal
}

/**
 * Resolves when a stream may begin at a position.
 *
 * @throws {AvisoError} `ERR_STORE_UNAVAILABLE`, `ERR_FUTURE_POSITION`, `ERR_HISTORY_COMPACTED`. What the store or its history throws is
 *   passed on.
 */
export async function admit(parts: AdmissionParts, from: StartPosition): Promise<void> {
  await untilStanding(parts)
  if (from.kind === 'revision') {
    await checkExists(parts, from.revision)
    await checkReadable(parts, from.revision)
  }
}

async function untilStanding(parts: AdmissionParts): Promise<void> {
  const { clock, signal } = parts
  const { standing } = parts.upstream
  if (signal.aborted) throw closed()
  if (!standing.hasStood()) {
    await within(standing.stood(), { clock, ms: START_WAIT_MS, signal, late: () => undefined })
  }
  if (!standing.hasStood() || parts.isOut()) {
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The store cannot be reached; try again in a moment')
  }
}

async function checkExists({ store, upstream, signal }: AdmissionParts, revision: Revision): Promise<void> {
  if (revision <= upstream.standing.head() + 1n) return
  // The store is asked, because the client may know of an acknowledged write that has not reached this hub yet.
  const { revision: head } = await store.range({ key: toBytes(EPOCH_KEY), keysOnly: true }, { signal })
  if (revision > head + 1n) {
    throw new AvisoError(
      'ERR_FUTURE_POSITION',
      'The position is ahead of everything in the store; start again from a date or from now',
    )
  }
}

/** Waits until a revision has been found in history. If that takes longer, the stream begins and reports a failure in its last frame. */
async function checkReadable(parts: AdmissionParts, next: Revision): Promise<void> {
  const { history, ring, clock, signal } = parts
  if (next >= ring.floor) return
  const found = Promise.withResolvers<void>()
  const waiter = {
    next,
    resume: () => found.resolve(),
    fail: (error: unknown) => found.reject(refusalOf(error)),
  }
  history.request(waiter)
  try {
    await within(found.promise, { clock, ms: HISTORY_WAIT_MS, signal, late: () => undefined })
  } finally {
    history.forget(waiter)
  }
}

/**
 * The refusal of a stream whose history cannot be read. A replaced store refuses no position by itself: where a client begins may be in
 * every store, and one that belongs to the old store is refused once the new one has its epoch.
 */
function refusalOf(error: unknown): AvisoError {
  if (!isAvisoError(error)) return closed()
  if (error.code !== 'ERR_EPOCH_CHANGED') return error
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    'The store was replaced, and this service begins again with the new one; connect again in a moment',
    { cause: error },
  )
}

function closed(): AvisoError {
  return new AvisoError('ERR_STORE_UNAVAILABLE', 'This service is shutting down; connect again')
}
