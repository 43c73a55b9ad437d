/**
 * The door for hubs in other processes of this machine that stand on the hub of this one: the routes under `/v3`, for senders that the
 * launcher has let in. They read everything, as the process itself does, and count as no listeners.
 *
 * Flow: store → hub → **relay door** → hub of another worker → auth → listener
 *
 * @module
 */

import { createFacade, type FacadeParts } from './etcd_facade/facade.ts'
import { BODY_LIMITS } from './listen/limits.ts'
import { createStreamRegistry } from './streams/registry.ts'
import type { Grant, Listener } from '#shared/access/access.ts'
import { ALL_KEYS, normalise, toInterval } from '#shared/access/interval.ts'
import { relayedAmong, withoutInternal } from '#shared/access/policy/decision.ts'
import { openRights } from '#shared/access/own_rights.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Handler } from '#shared/handler.ts'
import type { KeyRange } from '#shared/store/store.ts'

export interface RelayDoorParts extends Omit<
  FacadeParts,
  'access' | 'limits' | 'streams' | 'onForeignPosition'
> {
  readonly limits: { readonly maxAgeSeconds: number }
}

/** The door. */
export interface RelayDoor {
  /** Only the workers of the same launcher may reach it. */
  readonly handle: Handler
  /** Streams of hubs: they are no listeners. */
  streams(): number
}

/** Makes the door. */
export function createRelayDoor(parts: RelayDoorParts): RelayDoor {
  const streams = createStreamRegistry(parts.clock, 'workers')
  const handle = createFacade({
    ...parts,
    limits: { ...BODY_LIMITS, ...parts.limits },
    access: { forListening: () => Promise.resolve(WORKER) },
    streams,
    // A worker's own listeners tell it.
    onForeignPosition: () => undefined,
  })
  return { handle, streams: () => streams.size() }
}

const EVERYTHING = withoutInternal(ALL_KEYS)

const WORKER: Listener = {
  name: 'worker',
  address: undefined,
  requireIdentity: () => {
    throw new AvisoError('ERR_NOT_FOUND', 'A worker has no identity')
  },
  readsLeft: () => undefined,
  takeRead: async () => () => undefined,
  grant: (ranges) => Promise.resolve(grantWorker(ranges)),
  visible: async (ranges) => withoutInternal(normalise(ranges.map(toInterval))),
  explain: async (roots) => openRights(roots),
}

function grantWorker(ranges: readonly KeyRange[]): Grant {
  const asked = normalise(ranges.map(toInterval))
  return {
    keys: withoutInternal(asked),
    relay: { keys: relayedAmong(asked), visible: EVERYTHING },
    endsAt: undefined,
    takeRead: async () => () => undefined,
    left: () => undefined,
    takePlace: async () => ({ hold: () => undefined, leave: () => undefined }),
  }
}
