/**
 * The checker can fail: variants of the system with one mistake each, as they were really made elsewhere, are run under faults that provoke them, and each must be
 * caught. The sound system stands the same faults without a finding.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMemoryStore } from '#shared/store/memory.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/telemetry/clock.ts'
import { ALL_FAULTS, createGhostStore, type GhostFaults } from '../../support/ghost_store.ts'
import { checkRun, countByKind, type ViolationKind } from '../checker.ts'
import { createDice, type Dice } from '../dice.ts'
import type { Door } from '../door.ts'
import { followTruth, startLocalSystem } from '../in_process.ts'
import { destinationPrefix, FLIGHT_PREFIX } from '../notifications.ts'
import type { Compaction } from '../records.ts'
import { play, type ListenerPlan, type Scene } from '../scene.ts'
import { droppingFrames, resumingWithoutStep, startingNow, withoutBoundary } from './broken_door.ts'
import {
  acknowledgingEarly,
  hidingCompaction,
  resumingFromHeader,
  resumingTooFar,
  splittingRevisions,
  withoutGuard,
} from './broken_store.ts'
import { createGate, cutStreams, disturbWatches } from './provoke.ts'

const SEED = 20_261_125
/** Acknowledgements per run. */
const ENOUGH = 600
/** Within one process everything arrives at once; what has not by then never will. */
const SETTLE_MS = 1_500
const STALE_MS = 5_000
/** Writes misbehave, but are answered soon: silence would only make the test slow. */
const GHOSTS: GhostFaults = { ...ALL_FAULTS, silent: 0 }

/** What surrounds the system, and what is broken in it. */
interface Variant {
  /** Between the system and its store. */
  readonly store?: (store: Store, dice: Dice) => Store
  /** Between listeners and the system. */
  readonly door?: (door: Door, dice: Dice) => Door
  /** Watches are kept out for a while, and what they missed is compacted. */
  readonly compacts?: boolean
}

/** Runs two systems on one store in memory. @returns Findings by kind. */
async function run(variant: Variant): Promise<Readonly<Record<string, number>>> {
  const { store: wrap = (inner) => inner, door: wrapDoor = (inner) => inner } = variant
  const dice = createDice(SEED)
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
    const recorded = await play({
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
    return countByKind(checkRun(recorded))
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

const haunted = (store: Store, dice: Dice): Store => createGhostStore(store, () => dice.fraction(), GHOSTS)

describe('checkRun() on the sound system', () => {
  const nothing = {}
  it('finds nothing where writes are lost, late and doubled', async () => {
    assert.deepEqual(await run({ store: haunted }), nothing)
  })

  it('finds nothing where watches break and streams are cut', async () => {
    assert.deepEqual(await run({ store: disturbWatches, door: cutStreams }), nothing)
  })

  it('finds nothing where history is compacted before it was read', async () => {
    assert.deepEqual(await run({ compacts: true }), nothing)
  })
})

describe('checkRun() on a broken system', () => {
  /** The variant must be found out, by one of these at least. */
  async function caught(variant: Variant, ...kinds: readonly ViolationKind[]): Promise<void> {
    const found = await run(variant)
    assert.ok(
      kinds.some((kind) => (found[kind] ?? 0) > 0),
      `expected ${kinds.join(' or ')}, found ${JSON.stringify(found)}`,
    )
  }

  it('catches plain puts instead of guarded transactions', async () => {
    await caught({ store: (store, dice) => withoutGuard(haunted(store, dice)) }, 'doubled')
  })

  it('catches an acknowledgement before the store has answered', async () => {
    await caught({ store: acknowledgingEarly }, 'lost')
  })

  it('catches a stream resumed without +1', async () => {
    await caught({ door: (door, dice) => resumingWithoutStep(cutStreams(door, dice)) }, 'doubled')
  })

  it('catches a watch resumed with +2', async () => {
    await caught({ store: (store, dice) => resumingTooFar(disturbWatches(store, dice)) }, 'lost')
  })

  it("catches a cursor taken from another connection's header", async () => {
    await caught({ store: (store, dice) => resumingFromHeader(disturbWatches(store, dice)) }, 'lost')
  })

  it('catches a stream that starts now instead of where the listener was', async () => {
    await caught({ door: (door, dice) => startingNow(cutStreams(door, dice)) }, 'lost')
  })

  it('catches a revision that is split where a watch breaks', async () => {
    await caught({ store: splittingRevisions }, 'split', 'lost')
  })

  it('catches compaction that is passed over in silence', async () => {
    await caught({ store: hidingCompaction, compacts: true }, 'lost')
  })

  it('catches frames dropped from a full queue', async () => {
    await caught({ door: droppingFrames }, 'lost')
  })

  it('catches a range without its boundary', async () => {
    await caught({ door: withoutBoundary }, 'foreign')
  })
})
