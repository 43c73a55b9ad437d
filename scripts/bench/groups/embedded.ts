/**
 * Measures the embedded store beside etcd on the same disk.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPublisher } from '#shared/publish/publisher.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { createBareStore, type BareStore } from '../bare_store.ts'
import { runClosedLoop } from '../closed_loop.ts'
import { withEtcd } from '../etcd_figures.ts'
import { runLoad } from '../http_load.ts'
import { createNotifications, EVENT, EXPERIMENTS, location } from '../notifications.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, ratio, type Limit, type Row } from '../row.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

const CONNECTIONS = 64

/** The rows about the embedded store. */
export const embeddedGroup: RowGroup = {
  name: 'embedded',
  summary: 'durable single publishes to the embedded store, beside etcd on the same disk',
  placement: 'together',
  measure: (bench) =>
    withEtcd((etcd) =>
      withProcess(startAviso({ services: ['rest'] }), (embedded) =>
        withProcess(startAviso({ services: ['rest'], store: etcd.store }), async (onEtcd) => {
          const bare = createBareStore(etcd.endpoints[0] ?? '')
          try {
            return await measure(bench, { embedded, onEtcd, bare })
          } finally {
            await bare.close()
          }
        }),
      ),
    ),
}

interface Parties {
  readonly embedded: BenchProcess
  readonly onEtcd: BenchProcess
  readonly bare: BareStore
}

async function measure(bench: Bench, { embedded, onEtcd, bare }: Parties): Promise<readonly Row[]> {
  const postTo = ({ url }: BenchProcess): (() => Promise<number>) => {
    const notifications = createNotifications()
    const load = { url: url + PUBLISH_PATH, connections: CONNECTIONS, durationMs: loadMs(bench) }
    return async () => (await runLoad({ ...load, body: () => notifications.next() })).perSecond
  }
  bench.say('embedded: the store alone, and through the ingest')
  const posts = { embedded: postTo(embedded), onEtcd: postTo(onEtcd) }
  // These loads are not measured, because code is compiled when it first runs.
  await posts.embedded()
  await posts.onEtcd()
  const results = await interleave(bench.runs, {
    publisher: () => publishAlone(loadMs(bench)),
    bare: async (run) => {
      const worker = { call: (n: number) => bare.put(run * 1_000_000 + n) }
      const loop = { workers: CONNECTIONS, durationMs: loadMs(bench), open: () => worker }
      return (await runClosedLoop(loop)).perSecond
    },
    http: posts.embedded,
    httpOnEtcd: posts.onEtcd,
  })
  const row = (name: string, runs: readonly number[], limit: Limit): Row => {
    const share = ratio(runs, limit.runs)
    const aims = { floor: atLeast(1, share, ' × etcd'), goal: atLeast(3, share, ' × etcd') }
    return { name, runtime: 'node', unit: '/s', runs, limit, ...aims }
  }
  return [
    row(`embedded store, durable single publishes, ${CONNECTIONS} callers`, results.publisher, {
      name: `etcd puts, one member, same disk, ${CONNECTIONS} callers`,
      runs: results.bare,
    }),
    row(`the same through the ingest, ${CONNECTIONS} connections`, results.http, {
      name: 'the same ingest on etcd',
      runs: results.httpOnEtcd,
    }),
  ]
}

/** Publishes in this process. Each caller publishes one notification after the other. @returns the notifications per second */
async function publishAlone(durationMs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const platform = await detectPlatform()
  const parts = { platform, clock: systemClock, logger: silentLogger }
  const store = await openStore('embedded:', { ...parts, dataFolder: folder })
  const identity = { ...platform.identity, version: '0.0.0' }
  const publisher = createPublisher({ store, clock: systemClock, random: platform.random, identity })
  const schema = createBuiltinSchemas().require(EVENT)
  const call = async (n: number): Promise<void> => {
    const [expver, step] = [String(n % EXPERIMENTS), String(Math.floor(n / EXPERIMENTS))]
    const fields = { class: 'od', date: '20260810', domain: 'g', stream: 'oper', time: '0', expver, step }
    const item = {
      event: EVENT,
      keys: schema.encode(fields),
      value: toBytes(location(n)),
      id: `${n}`,
      source: '/bench',
    }
    const [result] = await publisher.publish([item])
    if (result?.ok !== true) throw result?.error ?? new Error('The publisher gave no result')
  }
  const { perSecond } = await runClosedLoop({ workers: CONNECTIONS, durationMs, open: () => ({ call }) })
  await publisher.close()
  await store.close()
  await rm(folder, { recursive: true, force: true })
  return perSecond
}
