/**
 * Measures publishing while the store is copied.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { fillWithOldKeys } from '../old_keys.ts'
import type { Bench, RowGroup } from '../plan.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { startAviso, withProcess } from '../systems.ts'
import { publishUntil } from '../timed_publishes.ts'

const KEYS = { full: 1_000_000, quick: 100_000 } as const
const SERVICES = ['rest', 'admin']
/** Publishes per second that are timed. */
const RATE = 500
/** How long publishing is timed without a backup. */
const QUIET_MS = 10_000

/** The rows about backups. */
export const backupGroup: RowGroup = {
  name: 'backup',
  summary: `${RATE} publishes a second while 1,000,000 keys are copied (100,000 with --quick), embedded and on etcd`,
  placement: 'together',
  measure: async (bench) => {
    const keys = bench.isQuick ? KEYS.quick : KEYS.full
    bench.say(`backup: writing ${keys} keys, twice`)
    const prepare = (folder: string): Promise<void> => fillWithOldKeys(keys, 'embedded:', folder)
    const embedded = await withProcess(startAviso({ services: SERVICES, prepare }), ({ url }) =>
      measure(bench, { url, keys, runtime: 'node' }),
    )
    const onEtcd = await withEtcd(async (etcd) => {
      await fillWithOldKeys(keys, etcd.store)
      const aviso = startAviso({ services: SERVICES, store: etcd.store })
      return withProcess(aviso, ({ url }) => measure(bench, { url, keys, runtime: 'node + etcd' }))
    })
    return [embedded, onEtcd]
  },
}

interface Subject {
  readonly url: string
  readonly keys: number
  /** Name in the row. */
  readonly runtime: string
}

async function measure(bench: Bench, { url, keys, runtime }: Subject): Promise<Row> {
  bench.say(`backup: publishing without a backup, ${runtime}`)
  const quiet = await publishUntil(url, QUIET_MS, RATE)
  bench.say('backup: publishing while the store is copied')
  const startedAt = performance.now()
  const copying = copy(url)
  const busy = await publishUntil(url, copying, RATE)
  const seconds = (performance.now() - startedAt) / 1_000
  const mebibytes = (await copying) / 2 ** 20
  bench.say('backup: publishing without a backup, again')
  const after = await publishUntil(url, QUIET_MS, RATE)
  const without = [quiet.p99, after.p99]
  return {
    name: `a publish while ${keys.toLocaleString('en')} keys are copied, p99`,
    runtime,
    unit: ' ms',
    runs: [busy.p99],
    limit: { name: 'the same without a backup', runs: without },
    goal: atMost(2, busy.p99 / median(without), ' × without'),
    notes: [
      `p50 ${busy.p50.toFixed(1)} ms (${quiet.p50.toFixed(1)}), max ${busy.max.toFixed(0)} ms (${quiet.max.toFixed(0)})`,
      `${mebibytes.toFixed(0)} MiB in ${seconds.toFixed(0)} s`,
    ],
  }
}

/** @returns the bytes of the answer */
async function copy(url: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/admin/backup`, { method: 'POST' })
  if (response.status !== 200 || response.body === null)
    throw new Error(`The admin answered ${response.status}: ${await response.text()}`)
  let bytes = 0
  for await (const piece of response.body) bytes += piece.length
  return bytes
}
