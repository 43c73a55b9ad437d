/**
 * Mistakes that only a real cluster provokes, beside the sound adapter under the same faults: no liveness of watches, and cancellations that are not seen.
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createNodeFetch, type NodeFetch } from '#shared/runtime/node_fetch.ts'
import type { FetchLike } from '#shared/store/fetch_like.ts'
import { createGatewayStore } from '#shared/store/gateway.ts'
import { systemClock, type Clock } from '#shared/telemetry/clock.ts'
import { silentLogger } from '#shared/telemetry/logger.ts'
import { etcdMissing } from '../../support/etcd.ts'
import { checkRun, countByKind } from '../checker.ts'
import { startFaultCluster, type FaultCluster } from '../cluster.ts'
import { createDice } from '../dice.ts'
import { startLocalSystem, type LocalSystem } from '../in_process.ts'
import { FLIGHT_PREFIX } from '../notifications.ts'
import { createOracle } from '../oracle.ts'
import type { Compaction } from '../records.ts'
import { play, type ListenerPlan, type Recorded, type Scene } from '../scene.ts'
import { ignoringCancel, steer, withoutHasLeader, withoutTicks, type SteeredFetch } from './broken_fetch.ts'

const SEED = 7
const STALE_MS = 8_000
/** Longer than {@link STALE_MS}: who does not notice is late. */
const ISOLATION_MS = 11_000
const SETTLE_MS = 3_000

describe('checkRun() on adapters over real etcd', { skip: await etcdMissing() }, () => {
  let cluster: FaultCluster
  let fetches: NodeFetch
  let closers: (() => Promise<void>)[] = []
  beforeEach(async () => {
    cluster = await startFaultCluster()
    fetches = createNodeFetch()
  })
  afterEach(async () => {
    for (const close of closers) {
      await close()
    }
    closers = []
    await fetches.close()
    await cluster.close()
  })

  /** A system over the cluster, whose watches go through `watchFetch`. */
  async function start(
    watchFetch: FetchLike,
    more: { readonly fetch?: FetchLike; readonly clock?: Clock } = {},
  ): Promise<LocalSystem> {
    const store = createGatewayStore({
      endpoints: cluster.members.map(({ url }) => url),
      fetch: more.fetch ?? fetches.unary,
      watchFetch,
      clock: more.clock ?? systemClock,
      random: randomUUID,
      logger: silentLogger,
    })
    const system = await startLocalSystem(store)
    closers.push(async () => {
      await system.close()
      await store.close()
    })
    return system
  }

  /** Publishes through a sound ingest, with listeners at the sound service and at the broken one. */
  async function run(
    systems: { readonly sound: LocalSystem; readonly broken: LocalSystem },
    faults: (scene: Scene, compactHead: () => Promise<void>) => Promise<void>,
  ): Promise<{ readonly sound: object; readonly broken: Readonly<Record<string, number>> }> {
    const ingest = await start(fetches.watch)
    const oracle = createOracle(cluster.members.map(({ url }) => url))
    const compactions: Compaction[] = []
    const compactHead = async (): Promise<void> => {
      await oracle.readOn()
      const revision = oracle.through
      compactions.push({ revision, at: performance.now() })
      const body = JSON.stringify({ revision: revision.toString() })
      const response = await fetch(`${cluster.members[0]?.url}/v3/kv/compaction`, { method: 'POST', body })
      assert.equal(response.status, 200)
    }
    const recorded = await play({
      name: 'broken',
      dice: createDice(SEED),
      ingests: [ingest.door],
      publishers: [1, 1, 5],
      thinkMs: 40,
      listeners: [...listenersAt('sound', systems.sound), ...listenersAt('broken', systems.broken)],
      faults: (scene) => faults(scene, compactHead),
      truth: async () => {
        await oracle.readOn()
        return oracle.revisions
      },
      compactions,
      staleMs: STALE_MS,
      settleMs: SETTLE_MS,
    })
    return { sound: findings(recorded, 'sound'), broken: findings(recorded, 'broken') }
  }

  it('catches watches without liveness: a member is cut off, and a hub on it stays', async () => {
    const ways: readonly [SteeredFetch, SteeredFetch] = [steer(fetches.watch), steer(fetches.watch)]
    const leader = await cluster.leader()
    const victim = (leader + 1) % cluster.members.length
    for (const way of ways) way.pin(cluster.members[victim]?.url)
    const systems = {
      sound: await start(ways[0].fetch),
      broken: await start(withoutHasLeader(ways[1].fetch), { clock: withoutTicks(systemClock) }),
    }
    const found = await run(systems, async (scene) => {
      await scene.acknowledged(50)
      for (const way of ways) way.pin(undefined)
      cluster.isolate(victim)
      await new Promise((done) => setTimeout(done, ISOLATION_MS))
      cluster.reunite()
      await scene.acknowledged(50)
    })
    assert.deepEqual(found.sound, {})
    assert.ok((found.broken['stale'] ?? 0) > 0, JSON.stringify(found.broken))
  })

  it('catches cancellations that are not seen: history is compacted before a watch goes on', async () => {
    const ways: readonly [SteeredFetch, SteeredFetch] = [steer(fetches.watch), steer(fetches.watch)]
    const systems = { sound: await start(ways[0].fetch), broken: await start(ignoringCancel(ways[1].fetch)) }
    const found = await run(systems, async (scene, compactHead) => {
      await scene.acknowledged(50)
      for (const way of ways) way.block()
      await scene.acknowledged(50)
      await compactHead()
      for (const way of ways) way.unblock()
      await scene.acknowledged(50)
    })
    assert.deepEqual(found.sound, {})
    assert.ok((found.broken['stuck'] ?? 0) > 0, JSON.stringify(found.broken))
  })
})

function listenersAt(name: string, { door }: LocalSystem): readonly ListenerPlan[] {
  return [
    { name: `${name}: flights`, what: { api: 'sse', event: 'flight' }, doors: [door] },
    { name: `${name}: keys`, what: { api: 'facade', prefix: FLIGHT_PREFIX }, doors: [door] },
  ]
}

/** What the checker says of the listeners of one service. */
function findings(recorded: Recorded, name: string): Readonly<Record<string, number>> {
  const chains = recorded.chains.filter((chain) => chain.name.startsWith(name))
  return countByKind(checkRun({ ...recorded, chains }))
}
