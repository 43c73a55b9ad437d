/**
 * Measures a store: its calls by outcome and time, and its size.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import type { CallOptions, Store, StoreStatus } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { RESPONSE_SECONDS, type Metrics } from './metrics.ts'
import type { MetricsRegistry } from './registry.ts'

export interface StoreMetricsParts {
  readonly metrics: MetricsRegistry
  /** Label of the kind of store, such as `etcd` or `embedded`. */
  readonly backend: string
  readonly clock: Clock
}

/** Longest time that a page of metrics waits for the store. */
const STATUS_LIMIT_MS = 2_000
/** How long a status is reused, so that several scrapers cost the store only one call in this time. */
const STATUS_KEPT_MS = 5_000

/** Makes a store measured. Names of metrics are those of aviso 2.x. */
export function observeStore(store: Store, parts: StoreMetricsParts): Store {
  const { backend, clock } = parts
  registerStatus(store, parts)
  const measured = createMeasure(parts.metrics, backend, clock)
  return {
    ...store,
    range: measured('range', store.range),
    txn: measured('txn', store.txn),
    compact: measured('compact', store.compact),
    grantLease: measured('lease', store.grantLease),
  }
}

/** A call to the store. */
type Call<Asked, Result> = (asked: Asked, options?: CallOptions) => Promise<Result>
/** The same call, measured. */
type Measure = <Asked, Result>(operation: string, call: Call<Asked, Result>) => Call<Asked, Result>

function createMeasure(metrics: Metrics, backend: string, clock: Clock): Measure {
  const operations = metrics.counter({
    name: 'aviso_backend_operations',
    help: 'Calls to the store; outcome is "ok" or an error code',
    labels: ['backend', 'operation', 'outcome'],
  })
  const durations = metrics.histogram({
    name: 'aviso_backend_operation_duration_seconds',
    unit: 'seconds',
    help: 'Time of the calls to the store',
    labels: ['backend', 'operation'],
    bounds: RESPONSE_SECONDS,
  })
  return (operation, call) => async (asked, options) => {
    const startedAt = clock.monotonic()
    let outcome = 'ok'
    try {
      return await call(asked, options)
    } catch (error) {
      outcome = isAvisoError(error) ? error.code : 'other'
      throw error
    } finally {
      operations.add([backend, operation, outcome])
      durations.observe((clock.monotonic() - startedAt) / 1_000, [backend, operation])
    }
  }
}

function registerStatus(store: Store, { metrics, backend, clock }: StoreMetricsParts): void {
  let status: StoreStatus | undefined
  let askedAt = -Infinity
  metrics.beforeCollect(async () => {
    if (clock.monotonic() - askedAt < STATUS_KEPT_MS) return
    askedAt = clock.monotonic()
    const limit = { clock, ms: STATUS_LIMIT_MS, late: () => undefined }
    status = await runWithin((signal) => store.status({ signal }), limit).catch(() => undefined)
  })
  const gauge = (name: string, help: string, value: (status: StoreStatus) => number): void =>
    metrics.read({
      kind: 'gauge',
      name,
      help,
      ...(name.endsWith('_bytes') && { unit: 'bytes' }),
      labels: ['backend'],
      read: () => (status === undefined ? [] : [{ value: value(status), values: [backend] }]),
    })
  metrics.read({
    kind: 'gauge',
    name: 'aviso_store_up',
    help: 'Whether the store answered',
    labels: ['backend'],
    read: () => [{ value: status === undefined ? 0 : 1, values: [backend] }],
  })
  gauge('aviso_store_size_bytes', 'Size of the store on disk', ({ sizeBytes }) => sizeBytes)
  gauge(
    'aviso_store_size_in_use_bytes',
    'Part of the store on disk that is used',
    ({ sizeInUseBytes }) => sizeInUseBytes,
  )
  gauge('aviso_store_revision', 'Newest revision of the store', ({ revision }) => Number(revision))
}
