/**
 * Measures publishing while the admin deletes a million old keys.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { fillWithOldKeys } from '../old_keys.ts'
import type { Bench, RowGroup } from '../plan.ts'
import { atMost, type Row } from '../row.ts'
import { startAviso, withProcess } from '../systems.ts'
import { publishUntil } from '../timed_publishes.ts'

/** Keys that are deleted. */
const KEYS = { full: 1_000_000, quick: 100_000 } as const
/** How long publishing is timed without a deletion. */
const QUIET_MS = 10_000
/** Longest delay that a deletion may add to a publish. */
const MOST_DELAY_MS = 100

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
      await fillWithOldKeys(keys, etcd.store)
      const aviso = startAviso({ services: SERVICES, store: etcd.store })
      return withProcess(aviso, ({ url }) => measure(bench, { url, keys, runtime: 'node + etcd' }))
    })
    const prepare = (folder: string): Promise<void> => fillWithOldKeys(keys, 'embedded:', folder)
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
  const quiet = await publishUntil(url, QUIET_MS)
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
