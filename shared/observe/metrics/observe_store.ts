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

/** A store that is measured. */
export interface ObservedStore {
  readonly store: Store
  /** Counts what 2.x counts as one operation of its backend, which may be several calls to a store here. */
  readonly operations: BackendOperations
}

/** Operations of 2.x's backend. */
export type BackendOperation = 'publish' | 'delete_message' | 'wipe_stream' | 'wipe_all'

/** Counts operations. */
export interface BackendOperations {
  /** @param seconds How long it took. */
  count(operation: BackendOperation, outcome: 'ok' | 'error', seconds: number): void
  /** Runs one; it fails where `run` rejects. */
  run<Result>(operation: BackendOperation, run: () => Promise<Result>): Promise<Result>
}

/** Makes a store measured. Names of metrics are those of aviso 2.x. */
export function observeStore(store: Store, parts: StoreMetricsParts): ObservedStore {
  const { clock } = parts
  registerStatus(store, parts)
  const count = createCount(parts)
  const measured = createMeasure(count, clock)
  return {
    store: {
      ...store,
      range: measured('range', store.range),
      txn: measured('txn', store.txn),
      compact: measured('compact', store.compact),
      grantLease: measured('lease', store.grantLease),
    },
    operations: {
      count,
      async run(operation, run) {
        const startedAt = clock.monotonic()
        let outcome = 'error'
        try {
          const result = await run()
          outcome = 'ok'
          return result
        } finally {
          count(operation, outcome, (clock.monotonic() - startedAt) / 1_000)
        }
      },
    },
  }
}

/** A call to the store. */
type Call<Asked, Result> = (asked: Asked, options?: CallOptions) => Promise<Result>
/** The same call, measured. */
type Measure = <Asked, Result>(operation: string, call: Call<Asked, Result>) => Call<Asked, Result>

type CountCall = (operation: string, outcome: string, seconds: number) => void

function createCount({
  metrics,
  backend,
}: Pick<StoreMetricsParts, 'backend'> & { metrics: Metrics }): CountCall {
  const operations = metrics.counter({
    name: 'aviso_backend_operations',
    help: 'Calls to the store (range, txn, compact, lease), and the operations of 2.x that they serve (publish, delete_message, wipe_stream, wipe_all); outcome of a call is "ok" or an error code, of an operation "ok" or "error"',
    labels: ['backend', 'operation', 'outcome'],
  })
  const durations = metrics.histogram({
    name: 'aviso_backend_operation_duration_seconds',
    unit: 'seconds',
    help: 'Time of the calls to the store, and of the operations of 2.x',
    labels: ['backend', 'operation'],
    bounds: RESPONSE_SECONDS,
  })
  return (operation, outcome, seconds) => {
    operations.add([backend, operation, outcome])
    durations.observe(seconds, [backend, operation])
  }
}

function createMeasure(count: CountCall, clock: Clock): Measure {
  return (operation, call) => async (asked, options) => {
    const startedAt = clock.monotonic()
    let outcome = 'ok'
    try {
      return await call(asked, options)
    } catch (error) {
      outcome = isAvisoError(error) ? error.code : 'other'
      throw error
    } finally {
      count(operation, outcome, (clock.monotonic() - startedAt) / 1_000)
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
