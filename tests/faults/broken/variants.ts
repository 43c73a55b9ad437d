/**
 * The system with one mistake each, as it was really made elsewhere, under faults that provoke it: what shows that the checker can fail.
 *
 * @module
 */

import type { Store } from '#shared/store/store.ts'
import { ALL_FAULTS, createGhostStore, type GhostFaults } from '../../support/ghost_store.ts'
import type { ViolationKind } from '../checker.ts'
import type { FaultCluster } from '../cluster.ts'
import type { Dice } from '../../support/dice.ts'
import type { Recorded } from '../scene.ts'
import { droppingFrames, resumingWithoutStep, startingNow, withoutBoundary } from './broken_door.ts'
import { ignoringCancel, withoutHasLeader, withoutTicks } from './broken_fetch.ts'
import {
  acknowledgingEarly,
  hidingCompaction,
  resumingFromHeader,
  resumingTooFar,
  splittingRevisions,
  withoutGuard,
} from './broken_store.ts'
import { runInMemory, type MemoryVariant } from './in_memory.ts'
import { runOverCluster, type ClusterVariant } from './over_cluster.ts'
import { cutStreams, disturbWatches } from './provoke.ts'

/** A mistake. */
export interface BrokenVariant {
  readonly mistake: string
  /** The checker finds one of these at least. */
  readonly shownBy: readonly ViolationKind[]
  readonly needsEtcd: boolean
  run(seed: number): Promise<Trial>
}

/** The record of the broken system, and of a sound one beside it, where there was one. */
export interface Trial {
  readonly broken: Recorded
  readonly sound?: Recorded
}

/** Writes misbehave, but are answered soon: silence would only make the run slow. */
const GHOSTS: GhostFaults = { ...ALL_FAULTS, silent: 0 }
/** Longer than anything acknowledged may wait for its delivery: who does not notice is late. */
const ISOLATION_MS = 11_000

/** A store whose writes are lost, late and doubled. */
export const haunted = (store: Store, dice: Dice): Store =>
  createGhostStore(store, () => dice.fraction(), GHOSTS)

/** Index of the member behind the leader. */
const followerOf = async (cluster: FaultCluster): Promise<number> =>
  ((await cluster.leader()) + 1) % cluster.members.length

/** Each by its name for `npm run faults -- --break`. */
export const BROKEN_VARIANTS: Readonly<Record<string, BrokenVariant>> = {
  'plain-put': {
    mistake: 'plain puts instead of guarded transactions',
    shownBy: ['doubled'],
    ...inMemory({ store: (store, dice) => withoutGuard(haunted(store, dice)) }),
  },
  'early-acknowledgement': {
    mistake: 'an acknowledgement before the store has answered',
    shownBy: ['lost'],
    ...inMemory({ store: acknowledgingEarly }),
  },
  'no-step': {
    mistake: 'a stream resumed at its last position, without + 1',
    shownBy: ['doubled'],
    ...inMemory({ door: (door, dice) => resumingWithoutStep(cutStreams(door, dice)) }),
  },
  'double-step': {
    mistake: 'a watch resumed with + 2',
    shownBy: ['lost'],
    ...inMemory({ store: (store, dice) => resumingTooFar(disturbWatches(store, dice)) }),
  },
  'foreign-cursor': {
    mistake: "a watch resumed at the revision of another connection's answer",
    shownBy: ['lost'],
    ...inMemory({ store: (store, dice) => resumingFromHeader(disturbWatches(store, dice)) }),
  },
  'start-now': {
    mistake: 'a stream that starts now instead of where the listener was',
    shownBy: ['lost'],
    ...inMemory({ door: (door, dice) => startingNow(cutStreams(door, dice)) }),
  },
  'split-revision': {
    mistake: 'a revision that is split where a watch breaks',
    shownBy: ['split', 'lost'],
    ...inMemory({ store: splittingRevisions }),
  },
  'silent-compaction': {
    mistake: 'compacted history passed over in silence',
    shownBy: ['lost'],
    ...inMemory({ store: hidingCompaction, compacts: true }),
  },
  'dropped-frames': {
    mistake: 'frames dropped from a full queue',
    shownBy: ['lost'],
    ...inMemory({ door: droppingFrames }),
  },
  'no-boundary': {
    mistake: 'a range without its boundary at the slash',
    shownBy: ['foreign'],
    ...inMemory({ door: withoutBoundary }),
  },
  'no-liveness': {
    mistake: 'watches without hasleader and idle limit; a member is cut off, and a hub on it stays',
    shownBy: ['stale'],
    ...overCluster({
      watchFetch: withoutHasLeader,
      clock: withoutTicks,
      prepare: async ({ cluster, ways }) => {
        const follower = await followerOf(cluster)
        for (const way of ways) way.pin(cluster.members[follower]?.url)
      },
      faults: async ({ cluster, scene, ways }) => {
        await scene.acknowledged(50)
        for (const way of ways) way.pin(undefined)
        cluster.isolate(await followerOf(cluster))
        await new Promise((done) => setTimeout(done, ISOLATION_MS))
        cluster.reunite()
        await scene.acknowledged(50)
      },
    }),
  },
  'ignored-cancel': {
    mistake: 'cancellations in the stream that are not seen; history is compacted before a watch goes on',
    shownBy: ['stuck'],
    ...overCluster({
      watchFetch: ignoringCancel,
      faults: async ({ scene, ways, compact }) => {
        await scene.acknowledged(50)
        for (const way of ways) way.block()
        await scene.acknowledged(50)
        await compact()
        for (const way of ways) way.unblock()
        await scene.acknowledged(50)
      },
    }),
  },
}

/** Tried in one process. */
function inMemory(variant: MemoryVariant): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return { needsEtcd: false, run: async (seed) => ({ broken: await runInMemory(variant, seed) }) }
}

/** Tried over a real cluster. */
function overCluster(variant: ClusterVariant): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return { needsEtcd: true, run: (seed) => runOverCluster(variant, seed) }
}
