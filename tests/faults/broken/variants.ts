/**
 * The system with one mistake each, as it was really made elsewhere, under faults that provoke it: what shows that the checker can fail.
 *
 * @module
 */

import type { Store } from '#shared/store/store.ts'
import { ALL_FAULTS, createGhostStore, type GhostFaults } from '../../support/ghost_store.ts'
import { checkRun, type Violation, type ViolationKind } from '../checker.ts'
import type { FaultCluster } from '../cluster.ts'
import type { Dice } from '../../support/dice.ts'
import { checkLives } from '../lives/check_lives.ts'
import type { EmbeddedStrike, StageParts } from '../lives/embedded_stage.ts'
import { runRows, type RowsReport } from '../lives/rows.ts'
import { runEmbeddedLives } from '../lives/run_lives.ts'
import type { Recorded } from '../scene.ts'
import { summariseLives, summariseRun } from '../summary.ts'
import { droppingFrames, resumingWithoutStep, startingNow, withoutBoundary } from './broken_door.ts'
import { ignoringCancel, withoutHasLeader, withoutTicks } from './broken_fetch.ts'
import {
  droppingReadable,
  keepingEpoch,
  keepingSalvagedEpoch,
  rememberingLost,
  reusingNumbers,
  withoutRowChecks,
  withoutWitness,
} from './broken_lives.ts'
import {
  acknowledgingEarly,
  hidingCompaction,
  resumingFromHeader,
  resumingTooFar,
  splittingRevisions,
  withoutGuard,
} from './broken_store.ts'
import { runInMemory, type MemoryVariant } from './in_memory.ts'
import { runLivesInMemory, type LifeVariant } from './lives_in_memory.ts'
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

/** What the checker says of a system. */
export interface Verdict {
  readonly violations: readonly Violation[]
  /** What was done, as lines of text. */
  readonly lines: readonly string[]
}

/** What it says of the broken system, and of a sound one beside it, where there was one. */
export interface Trial {
  readonly broken: Verdict
  readonly sound?: Verdict
}

/** Writes misbehave, but are answered soon: silence would only make the run slow. */
const GHOSTS: GhostFaults = { ...ALL_FAULTS, silent: 0 }
/** Longer than anything acknowledged may wait for its delivery: who does not notice is late. */
const ISOLATION_MS = 11_000

/** What a mistake keeps from coming never comes: more than others need, and little to wait for. */
const SETTLE_MS = 4_000

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
  'remembers-lost': {
    mistake: 'an answer from memory without asking the store, which was put back',
    shownBy: ['lost'],
    ...overLives({ kind: 'restore of an older copy', store: rememberingLost, isQuiet: true }),
  },
  'keeps-epoch': {
    mistake: 'a store that was put back keeps its epoch',
    shownBy: ['accepted'],
    ...overLives({ kind: 'restore of an older copy', store: keepingEpoch }),
  },
  'number-reuse': {
    mistake: 'numbers that go on where the copy ends',
    shownBy: ['reused'],
    ...overLives({ kind: 'restore while stopped', store: reusingNumbers }),
  },
  'ignored-witness': {
    mistake: 'a start that does not compare the database with its witness',
    shownBy: ['lost'],
    ...overFiles('older copy while stopped', { sabotage: withoutWitness }),
  },
  'salvage-keeps-epoch': {
    mistake: 'a salvage past damaged pages that gives no new epoch',
    shownBy: ['accepted', 'untold'],
    ...overFiles('damaged page', { spoil: keepingSalvagedEpoch }),
  },
  'salvage-drops-readable': {
    mistake: 'a salvage past damaged pages that leaves out an event that can be read, and does not name it',
    shownBy: ['lost'],
    ...overFiles('damaged page', { spoil: droppingReadable }),
  },
  'unchecked-rows': {
    mistake: 'values that are read without their checksums',
    shownBy: ['altered'],
    needsEtcd: false,
    run: async (seed) => ({ broken: showRows(await runRows({ seed, sabotage: withoutRowChecks })) }),
  },
}

/** Tried in one process. */
function inMemory(variant: MemoryVariant): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return { needsEtcd: false, run: async (seed) => ({ broken: judge(await runInMemory(variant, seed)) }) }
}

/** Tried over a real cluster. */
function overCluster(variant: ClusterVariant): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return {
    needsEtcd: true,
    run: async (seed) => {
      const { broken, sound } = await runOverCluster(variant, seed)
      return { broken: judge(broken), sound: judge(sound) }
    },
  }
}

/** Tried in one process, on a store that loses something. */
function overLives(variant: LifeVariant): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return {
    needsEtcd: false,
    run: async (seed) => {
      const record = await runLivesInMemory(variant, seed)
      return { broken: { violations: checkLives(record), lines: [`lost           ${record.lost}`] } }
    },
  }
}

/** Tried on a server process with a data folder. */
function overFiles(
  kind: EmbeddedStrike,
  mistake: Omit<StageParts, 'dice'>,
): Pick<BrokenVariant, 'needsEtcd' | 'run'> {
  return {
    needsEtcd: false,
    run: async (seed) => {
      const report = await runEmbeddedLives({ seed, kinds: [kind], settleMs: SETTLE_MS, ...mistake })
      return { broken: { violations: report.violations, lines: summariseLives(report) } }
    },
  }
}

function judge(run: Recorded): Verdict {
  return { violations: checkRun(run), lines: summariseRun(run) }
}

function showRows({ violations }: RowsReport): Verdict {
  return { violations, lines: [] }
}
