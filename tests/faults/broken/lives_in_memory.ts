/**
 * Rounds of lives in one process: two systems over a store in memory that is wiped or put back.
 *
 * @module
 */

import { readEpoch, renewEpoch } from '#shared/journal/epoch.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createFlakyStore, type FlakyStore } from '../../contract/hub_flaky_store.ts'
import { createDice } from '../../support/dice.ts'
import { createMemoryStore } from '../../support/memory_store.ts'
import { copyOf } from '../../support/older_copy.ts'
import type { Door } from '../door.ts'
import { readTruth, startLocalSystem, type LocalSystem } from '../in_process.ts'
import { createWorld } from '../lives/life_parts.ts'
import type { LifeRecord, LifeStage } from '../lives/life_records.ts'
import type { EtcdStrike } from '../lives/etcd_stage.ts'
import { playRound } from '../lives/round.ts'

/** What happens to the store, and what is broken in the system. */
export interface LifeVariant {
  readonly kind: EtcdStrike
  /** Between the system and its store. */
  readonly store?: (store: Store) => Store
  readonly isQuiet?: boolean
}

/** Within one process everything arrives at once; what has not by then never will. */
const SETTLE_MS = 1_500
const RECOVERY_MS = 5_000
const REQUESTS = 8

/** Plays one round. */
export async function runLivesInMemory(variant: LifeVariant, seed: number): Promise<LifeRecord> {
  const { kind, isQuiet = false, store: wrap = (inner) => inner } = variant
  const dice = createDice(seed)
  const flaky = createFlakyStore(createMemoryStore({ clock: systemClock }), () => dice.fraction())
  const store = wrap(flaky)
  const pair = createPair(store)
  await pair.start()
  try {
    const stage = memoryStage(kind, { flaky, store, pair })
    const size = { requests: REQUESTS, settleMs: SETTLE_MS, recoveryMs: RECOVERY_MS }
    return await playRound({ kind, dice, world: createWorld(), stage, isQuiet, ...size })
  } finally {
    await pair.stop()
    await flaky.close()
  }
}

/** Two systems that can be started again. */
interface Pair {
  readonly doors: readonly [Door, Door]
  start(): Promise<void>
  stop(): Promise<void>
}

function createPair(store: Store): Pair {
  let systems: readonly LocalSystem[] = []
  const doorTo =
    (index: number): Door =>
    (path, init) => {
      const system = systems[index]
      if (system === undefined) return Promise.reject(new Error('The test has stopped this system'))
      return system.door(path, init)
    }
  return {
    doors: [doorTo(0), doorTo(1)],
    start: async () => {
      systems = [await startLocalSystem(store), await startLocalSystem(store)]
    },
    stop: async () => {
      const running = systems
      systems = []
      await Promise.all(running.map((system) => system.close()))
    },
  }
}

/** The store may be replaced; `store` is the way of the system to it. */
interface Parts {
  readonly flaky: FlakyStore
  readonly store: Store
  readonly pair: Pair
}

function memoryStage(kind: EtcdStrike, { flaky, store, pair }: Parts): LifeStage {
  let saved: Store | undefined
  return {
    ingests: pair.doors,
    listening: pair.doors,
    save: async () => {
      saved = kind === 'wipe' ? createMemoryStore({ clock: systemClock }) : await copyOf(flaky.inner)
    },
    strike: async () => {
      const isStopped = kind === 'restore while stopped'
      if (isStopped) await pair.stop()
      flaky.inner = saved ?? flaky.inner
      flaky.breakAll()
      if (isStopped) {
        const known = await readEpoch(store)
        await renewEpoch(store, known?.epoch ?? '', () => crypto.randomUUID())
        await pair.start()
      }
      return { keeps: kind === 'wipe' ? 'nothing' : 'saved', complaints: [] }
    },
    truth: () => readTruth(flaky.inner),
  }
}
