/**
 * Measures publishing to many event types, beside publishing to one.
 *
 * @module
 */

import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import { batchOfTypes, notificationOfTypes, writeEventTypes } from '../event_types.ts'
import { ownCost, runPost, type PostLoad, type PostResult } from '../generator.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, ratio, type Row } from '../row.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

/** The first is what the others are compared with. */
const TYPES = [1, 10, 200] as const
const CONNECTIONS = 64
const BATCH = { size: 100, connections: 8 } as const

/** The rows about event types. */
export const eventTypesGroup: RowGroup = {
  name: 'event-types',
  summary: `publishing to ${TYPES.join(', ')} event types, singly and in batches, embedded and on etcd`,
  placement: 'together',
  measure: async (bench) => {
    const rows = [...(await measure(bench, 'node', 'embedded:'))]
    for (const { name, scheme } of WIRES) {
      // In quick runs only the faster wire, so that they stay short.
      if (bench.isQuick && scheme === 'gateway:') continue
      rows.push(
        ...(await withEtcd(({ store }) =>
          measure(bench, `node + etcd${name}`, store.replace('http:', scheme)),
        )),
      )
    }
    return rows
  },
}

function measure(bench: Bench, runtime: string, store: string): Promise<readonly Row[]> {
  const most = Math.max(...TYPES)
  const started = startAviso({ store, services: ['rest'], config: (folder) => writeEventTypes(folder, most) })
  return withProcess(started, async (aviso) => {
    const singles = await measureLoads(
      bench,
      { aviso, runtime, title: `singles, ${CONNECTIONS} connections` },
      () => ({
        path: PUBLISH_PATH,
        body: notificationOfTypes(),
        connections: CONNECTIONS,
      }),
    )
    const batches = await measureLoads(bench, { aviso, runtime, title: `batches of ${BATCH.size}` }, () => ({
      path: PUBLISH_PATH,
      body: batchOfTypes(BATCH.size),
      connections: BATCH.connections,
      perRequest: BATCH.size,
    }))
    return [...singles, ...batches]
  })
}

interface Subject {
  readonly aviso: BenchProcess
  readonly runtime: string
  readonly title: string
}

async function measureLoads(
  bench: Bench,
  { aviso, runtime, title }: Subject,
  load: () => PostLoad,
): Promise<readonly Row[]> {
  bench.say(`event-types: ${title}, ${runtime}`)
  const post = (modulo: number, durationMs = loadMs(bench)): Promise<PostResult> =>
    runPost(aviso.url, durationMs, { ...load(), modulo })
  // Code is compiled when it first runs, and an event type's first publish reads its journal.
  for (const count of TYPES) await post(count, loadMs(bench) / 2)
  const results = await interleave(
    bench.runs,
    Object.fromEntries(TYPES.map((count) => [String(count), () => post(count)])),
  )
  const per = load().perRequest ?? 1
  const ratesOf = (count: number): number[] =>
    (results[String(count)] ?? []).map(({ perSecond }) => perSecond * per)
  const one = ratesOf(TYPES[0])
  return TYPES.slice(1).map((count): Row => {
    const rates = ratesOf(count)
    return {
      name: `${title}, ${count} event types`,
      runtime,
      unit: '/s',
      runs: rates,
      limit: { name: 'one event type', runs: one },
      goal: atLeast(0.7, ratio(rates, one), ' of one'),
      notes: [ownCost(results[String(count)] ?? [])],
    }
  })
}
