/**
 * A store that does nothing, so that only our part of the cost of a publish is measured.
 *
 * @module
 */

import type { OperationResult, RangeResult, Store, StoreOperation } from '#shared/store/store.ts'

/** Makes the store. Every transaction succeeds at once, every read finds nothing, and a watch stays open without events. */
export function createNoOpStore(): Store {
  let revision = 1n
  const nothing = (): RangeResult => ({ revision, kvs: [], count: 0n, more: false })
  const resultOf = ({ kind }: StoreOperation): OperationResult => {
    if (kind === 'put') return { kind }
    return kind === 'delete' ? { kind, deleted: 0n } : { kind, result: nothing() }
  }
  return {
    range: () => Promise.resolve(nothing()),
    txn: ({ success }) => {
      revision++
      return Promise.resolve({ revision, succeeded: true, results: success.map(resultOf) })
    },
    watch: async function* ({ signal }) {
      yield { kind: 'created', revision }
      await new Promise<void>((ended) => signal?.addEventListener('abort', () => ended()))
    },
    compact: () => Promise.resolve(),
    grantLease: () => Promise.resolve(1n),
    status: () => Promise.resolve({ version: 'none', revision, sizeBytes: 0, sizeInUseBytes: 0 }),
    close: () => Promise.resolve(),
  }
}
