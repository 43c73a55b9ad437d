/**
 * Broken variants of the etcd adapter over a real cluster: a sound service and the broken one stand the same faults.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createNodeFetch } from '#shared/runtime/node_fetch.ts'
import type { FetchLike } from '#shared/runtime/fetch_like.ts'
import { createGatewayStore } from '#shared/store/etcd/gateway.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { startFaultCluster, type FaultCluster } from '../cluster.ts'
import { createDice } from '../../support/dice.ts'
import { startLocalSystem, type LocalSystem } from '../in_process.ts'
import { FLIGHT_PREFIX } from '../notifications.ts'
import { createOracle, type Oracle } from '../oracle.ts'
import type { Compaction } from '../records.ts'
import { play, type ListenerPlan, type Recorded, type Scene } from '../scene.ts'
import { steer, type SteeredFetch } from './broken_fetch.ts'

const STALE_MS = 8_000
const SETTLE_MS = 3_000

/** What is broken, and what happens meanwhile. */
export interface ClusterVariant {
  /** The broken service's way to watches. */
  readonly watchFetch: (sound: FetchLike) => FetchLike
  readonly clock?: (sound: Clock) => Clock
  /** Before the services start. */
  readonly prepare?: (ground: Ground) => Promise<void>
  readonly faults: (stage: Stage) => Promise<void>
}

/** What the services stand on. */
export interface Ground {
  readonly cluster: FaultCluster
  /** The ways to watches of both services. */
  readonly ways: readonly SteeredFetch[]
}

/** What faults work with. */
export interface Stage extends Ground {
  readonly scene: Scene
  /** Drops all of history but the newest revision. */
  compact(): Promise<void>
}

/** The record of a run, seen from the listeners of each service. */
export interface Pair {
  readonly sound: Recorded
  readonly broken: Recorded
}

/** Publishes through a sound ingest, with listeners at the sound service and at the broken one. */
export async function runOverCluster(variant: ClusterVariant, seed: number): Promise<Pair> {
  const cluster = await startFaultCluster()
  const fetches = createNodeFetch()
  const closers: (() => Promise<void>)[] = [() => cluster.close(), () => fetches.close()]
  const endpoints = cluster.members.map(({ url }) => url)
  const start = async (watchFetch: FetchLike, clock: Clock): Promise<LocalSystem> => {
    const parts = { endpoints, fetch: fetches.unary, watchFetch, clock, random: randomUUID }
    const store = createGatewayStore({ ...parts, logger: silentLogger })
    closers.push(() => store.close())
    const system = await startLocalSystem(store)
    closers.push(() => system.close())
    return system
  }
  try {
    const { clock: breakClock = (sound: Clock) => sound } = variant
    const ways = [steer(fetches.watch), steer(fetches.watch)] as const
    await variant.prepare?.({ cluster, ways })
    const ingest = await start(fetches.watch, systemClock)
    const sound = await start(ways[0].fetch, systemClock)
    const broken = await start(variant.watchFetch(ways[1].fetch), breakClock(systemClock))
    const oracle = createOracle(endpoints)
    const compactions: Compaction[] = []
    const compact = (): Promise<void> => compactHead(endpoints, oracle, compactions)
    const recorded = await play({
      name: 'broken',
      dice: createDice(seed),
      ingests: [ingest.door],
      publishers: [1, 1, 5],
      thinkMs: 40,
      listeners: [...listenersAt('sound', sound), ...listenersAt('broken', broken)],
      faults: (scene) => variant.faults({ cluster, scene, ways, compact }),
      truth: async () => {
        await oracle.readOn()
        return oracle.revisions
      },
      compactions,
      staleMs: STALE_MS,
      settleMs: SETTLE_MS,
    })
    return { sound: seenBy(recorded, 'sound'), broken: seenBy(recorded, 'broken') }
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

async function compactHead(
  [endpoint]: readonly string[],
  oracle: Oracle,
  compactions: Compaction[],
): Promise<void> {
  await oracle.readOn()
  const revision = oracle.through
  compactions.push({ revision, at: performance.now() })
  const body = JSON.stringify({ revision: revision.toString() })
  const response = await fetch(`${endpoint}/v3/kv/compaction`, { method: 'POST', body })
  assert.equal(response.status, 200)
}

function listenersAt(name: string, { door }: LocalSystem): readonly ListenerPlan[] {
  return [
    { name: `${name}: flights`, what: { api: 'sse', event: 'flight' }, doors: [door] },
    { name: `${name}: keys`, what: { api: 'facade', prefix: FLIGHT_PREFIX }, doors: [door] },
  ]
}

/** The record with the listeners of one service. */
function seenBy(recorded: Recorded, name: string): Recorded {
  return { ...recorded, chains: recorded.chains.filter((chain) => chain.name.startsWith(name)) }
}
