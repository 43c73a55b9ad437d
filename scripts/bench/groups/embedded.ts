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
import { runPuts } from '../bare_puts.ts'
import { runClosedLoop } from '../closed_loop.ts'
import { withEtcd } from '../etcd_figures.ts'
import { ownCost, runPost, type PostResult } from '../generator.ts'
import { EVENT, EXPERIMENTS, location, numberedNotification } from '../notifications.ts'
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
      withProcess(startAviso({ services: ['rest'] }), (rest) =>
        withProcess(startAviso({ services: ['rest'], store: etcd.store }), (onEtcd) =>
          measure(bench, { rest, onEtcd, endpoint: etcd.endpoints[0] ?? '' }),
        ),
      ),
    ),
}

interface Parties {
  readonly rest: BenchProcess
  readonly onEtcd: BenchProcess
  /** Address of etcd. */
  readonly endpoint: string
}

async function measure(bench: Bench, { rest, onEtcd, endpoint }: Parties): Promise<readonly Row[]> {
  const postTo =
    ({ url }: BenchProcess, connections: number): (() => Promise<PostResult>) =>
    () =>
      runPost(url, loadMs(bench), { path: PUBLISH_PATH, body: numberedNotification(), connections })
  bench.say('embedded: the store alone, and through the ingest')
  const posts = {
    rest: postTo(rest, CONNECTIONS),
    onEtcd: postTo(onEtcd, CONNECTIONS),
  }
  // These loads are not measured, because code is compiled when it first runs.
  for (const post of Object.values(posts)) await post()
  const results = await interleave(bench.runs, {
    publisher: () => publishAlone(loadMs(bench)),
    bare: () => runPuts(endpoint, 'gateway:', loadMs(bench), { connections: CONNECTIONS }),
    ...posts,
  })
  const rates = (runs: readonly (PostResult | undefined)[]): number[] =>
    runs.map((run) => run?.perSecond ?? Number.NaN)
  const row = (name: string, runs: readonly number[], limit: Limit): Row => {
    const share = ratio(runs, limit.runs)
    const aims = { floor: atLeast(1, share, ' × etcd'), goal: atLeast(3, share, ' × etcd') }
    return { name, runtime: 'node', unit: '/s', runs, limit, ...aims }
  }
  const puts = `etcd puts, one member, same disk, ${CONNECTIONS} connections`
  const atOnce = `${CONNECTIONS} connections`
  return [
    row(
      `embedded store, durable single publishes, ${CONNECTIONS} callers in the process`,
      results.publisher,
      {
        name: puts,
        runs: rates(results.bare),
      },
    ),
    {
      ...row(`the same through the ingest alone, ${atOnce}`, rates(results.rest), {
        name: 'the same ingest on etcd',
        runs: rates(results.onEtcd),
      }),
      notes: [ownCost(results.rest)],
    },
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
