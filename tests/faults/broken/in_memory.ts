/**
 * Broken variants in one process: two systems over one store in memory, with the mistake on the way to the store or to the listeners.
 *
 * @module
 */

import { createMemoryStore } from '../../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createDice, type Dice } from '../../support/dice.ts'
import type { Door } from '../door.ts'
import { followTruth, startLocalSystem } from '../in_process.ts'
import { destinationPrefix, FLIGHT_PREFIX } from '../notifications.ts'
import type { Compaction } from '../records.ts'
import { play, type ListenerPlan, type Recorded, type Scene } from '../scene.ts'
import { createGate } from './provoke.ts'

/** Acknowledgements per run. */
const ENOUGH = 600
/** Within one process everything arrives at once; what has not by then never will. */
const SETTLE_MS = 1_500
const STALE_MS = 5_000

/** What surrounds the system, and what is broken in it. */
export interface MemoryVariant {
  /** Between the system and its store. */
  readonly store?: (store: Store, dice: Dice) => Store
  /** Between listeners and the system. */
  readonly door?: (door: Door, dice: Dice) => Door
  /** Watches are kept out for a while, and what they missed is compacted. */
  readonly compacts?: boolean
}

/** Runs two systems on one store in memory. */
export async function runInMemory(variant: MemoryVariant, seed: number): Promise<Recorded> {
  const { store: wrap = (inner) => inner, door: wrapDoor = (inner) => inner } = variant
  const dice = createDice(seed)
  const store = createMemoryStore({ clock: systemClock })
  // Compaction takes the truth away from those who come later.
  const truth = followTruth(store)
  const gate = createGate(store)
  const systems = [
    await startLocalSystem(wrap(gate.store, dice.fork('store 1'))),
    await startLocalSystem(wrap(gate.store, dice.fork('store 2'))),
  ] as const
  const doors = [
    wrapDoor(systems[0].door, dice.fork('door 1')),
    wrapDoor(systems[1].door, dice.fork('door 2')),
  ] as const
  const compactions: Compaction[] = []
  const faults = async (scene: Scene): Promise<void> => {
    await scene.acknowledged(ENOUGH / 2)
    if (variant.compacts === true) {
      gate.shut()
      await scene.acknowledged(ENOUGH / 4)
      const { revision } = await store.status()
      compactions.push({ revision, at: performance.now() })
      await store.compact(revision)
      gate.open()
    }
    await scene.acknowledged(ENOUGH / 2)
  }
  try {
    return await play({
      name: 'broken',
      dice,
      ingests: [systems[0].door, systems[1].door],
      publishers: [1, 1, 1, 6],
      thinkMs: 2,
      listeners: listenersAt(doors),
      limits: { reconnectMs: 20 },
      faults,
      truth: () => truth.finish(),
      compactions,
      staleMs: STALE_MS,
      settleMs: SETTLE_MS,
    })
  } finally {
    await Promise.all(systems.map((system) => system.close()))
    await store.close()
  }
}

function listenersAt(doors: readonly [Door, ...Door[]]): readonly ListenerPlan[] {
  return [
    { name: 'flights', what: { api: 'sse', event: 'flight' }, doors },
    { name: 'flights to Italy', what: { api: 'sse', event: 'flight', field: ['country', 'italy'] }, doors },
    {
      name: 'files for FOO',
      what: { api: 'sse', event: 'dissemination', field: ['destination', 'FOO'] },
      doors,
    },
    { name: 'keys of flights', what: { api: 'facade', prefix: FLIGHT_PREFIX }, doors },
    { name: 'keys of FOO', what: { api: 'facade', prefix: destinationPrefix('FOO') }, doors },
  ]
}
