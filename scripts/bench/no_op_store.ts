/**
 * A store that does nothing: what is left of a publish's cost is ours.
 *
 * @module
 */

import type { OperationResult, RangeResult, Store, StoreOperation } from '#shared/store/store.ts'

/** Every transaction succeeds at once, every read finds nothing, a watch only stands. */
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
