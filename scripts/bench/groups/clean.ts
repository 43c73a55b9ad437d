/**
 * Measures publishing while the admin deletes a million old keys.
 *
 * @module
 */

import { detectPlatform } from '#shared/runtime/detect.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { openStore } from '#shared/store/open/open.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { withEtcd } from '../etcd_figures.ts'
import { openConnection } from '../http_load.ts'
import { createNotifications } from '../notifications.ts'
import type { Bench, RowGroup } from '../plan.ts'
import { atMost, type Row } from '../row.ts'
import { toPercentiles, type Percentiles } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, withProcess } from '../systems.ts'

/** Keys that are deleted. */
const KEYS = { full: 1_000_000, quick: 100_000 } as const
/** Publishes per second that are timed. */
const RATE = 100
/** How long publishing is timed without a deletion. */
const QUIET_MS = 10_000
/** Longest delay that a deletion may add to a publish. */
const MOST_DELAY_MS = 100
/** Keys written by one transaction while the store is filled. */
const FILL_KEYS = 120
const FILL_WORKERS = 8

/** The service that deletes, and the service that takes notifications. */
const SERVICES = ['rest', 'admin']

/** The rows about deletion. */
export const cleanGroup: RowGroup = {
  name: 'clean',
  summary:
    'publishing while the admin deletes 1,000,000 old keys (100,000 with --quick), on etcd and embedded',
  placement: 'together',
  measure: async (bench) => {
    const keys = bench.isQuick ? KEYS.quick : KEYS.full
    bench.say(`clean: writing ${keys} keys, twice`)
    const onEtcd = await withEtcd(async (etcd) => {
      await fill(keys, etcd.store)
      const aviso = startAviso({ services: SERVICES, store: etcd.store })
      return withProcess(aviso, ({ url }) => measure(bench, { url, keys, runtime: 'node + etcd' }))
    })
    const prepare = (folder: string): Promise<void> => fill(keys, 'embedded:', folder)
    const embedded = await withProcess(startAviso({ services: SERVICES, prepare }), ({ url }) =>
      measure(bench, { url, keys, runtime: 'node' }),
    )
    return [onEtcd, embedded]
  },
}

/** A system with old keys. */
interface Subject {
  readonly url: string
  readonly keys: number
  /** Name in the row. */
  readonly runtime: string
}

async function measure(bench: Bench, { url, keys, runtime }: Subject): Promise<Row> {
  bench.say(`clean: publishing without a deletion, ${runtime}`)
  const quiet = await publishUntil(url, new Promise((resolve) => setTimeout(resolve, QUIET_MS)))
  bench.say('clean: publishing while keys are deleted')
  const startedAt = performance.now()
  const cleaning = clean(url)
  const busy = await publishUntil(url, cleaning)
  const deleted = await cleaning
  const seconds = (performance.now() - startedAt) / 1_000
  if (deleted !== keys) throw new Error(`${deleted} of ${keys} keys were deleted`)
  return {
    name: `a publish while ${keys.toLocaleString('en')} keys are deleted, p99`,
    runtime,
    unit: ' ms',
    runs: [busy.p99],
    limit: { name: 'the same without a deletion', runs: [quiet.p99] },
    floor: atMost(MOST_DELAY_MS, busy.p99 - quiet.p99, ' ms more'),
    notes: [
      `p50 ${busy.p50.toFixed(1)} ms (${quiet.p50.toFixed(1)}), max ${busy.max.toFixed(0)} ms (${quiet.max.toFixed(0)})`,
      `${Math.round(deleted / seconds).toLocaleString('en')} keys/s, ${seconds.toFixed(0)} s in all`,
    ],
  }
}

/** Publishes at a steady rate. A publish does not wait for the answer to the one before, so a slow answer does not lower the load. */
async function publishUntil(url: string, end: Promise<unknown>): Promise<Percentiles> {
  const notifications = createNotifications()
  const connections = await Promise.all(Array.from({ length: 32 }, () => openConnection(url + PUBLISH_PATH)))
  const latencies: number[] = []
  const open = new Set<Promise<void>>()
  let isEnded = false
  void end.finally(() => (isEnded = true)).catch(() => undefined)
  const startedAt = performance.now()
  for (let sent = 0; !isEnded; sent++) {
    const dueAt = startedAt + (sent * 1_000) / RATE
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    // Take the connection that was idle longest, because the server closes those that are idle for a minute.
    const connection = connections.shift()
    // When all connections wait for answers, this publish is skipped. The delay shows in the waiting ones.
    if (connection === undefined) continue
    const publish = connection.post(notifications.next()).then(({ status, body }) => {
      if (status !== 200) throw new Error(`The ingest answered ${status}: ${body.slice(0, 300)}`)
      latencies.push(performance.now() - dueAt)
      connections.push(connection)
    })
    open.add(publish)
    void publish.finally(() => open.delete(publish)).catch(() => undefined)
  }
  await Promise.all(open)
  for (const connection of connections) connection.close()
  return toPercentiles(latencies)
}

/** @returns the number of keys deleted */
async function clean(url: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/admin/clean`, {
    method: 'POST',
    headers: { accept: 'application/x-ndjson', 'content-type': 'application/json' },
    body: '{"events":["mars"]}',
  })
  const last = (await response.text()).trim().split('\n').at(-1) ?? ''
  const { result } = JSON.parse(last) as { readonly result?: { readonly deleted: number } }
  if (result === undefined) throw new Error(`The admin answered ${last.slice(0, 300)}`)
  return result.deleted
}

/** Writes notifications of a day long past, as aviso 1.x would have written them. */
async function fill(keys: number, store: string, dataFolder = ''): Promise<void> {
  const platform = await detectPlatform()
  const parts = { platform, dataFolder, clock: systemClock, logger: silentLogger }
  const opened = await openStore(store, parts)
  const value = toBytes(`s3://bucket/${'x'.repeat(200)}`)
  let next = 0
  const work = async (): Promise<void> => {
    while (next < keys) {
      const count = Math.min(FILL_KEYS, keys - next)
      const first = next
      next += count
      const success = Array.from({ length: count }, (_, index) => ({
        kind: 'put' as const,
        key: toBytes(
          `/ec/mars/date=20200101,class=od,expver=0001,domain=g,time=00,stream=oper,step=${first + index}`,
        ),
        value,
      }))
      await opened.txn({ compare: [], success })
    }
  }
  await Promise.all(Array.from({ length: FILL_WORKERS }, work))
  await opened.close()
}
