/**
 * Keeps reads of the past out of transactions that write.
 *
 * etcd (all versions before 3.7) drops the reads of a transaction on the members that the client is not connected to. If such a read is
 * refused, for a compacted or a future revision, then the connected member applies nothing while the others apply the writes, and
 * the members differ from then on, revisions included (etcd#18667; seen here on 3.4.23).
 *
 * @module
 */

import type {
  CallOptions,
  GuardedOperations,
  GuardedResult,
  OperationResult,
  RangeRequest,
  RangeResult,
  StoreOperation,
  TxnRequest,
  TxnResult,
} from '../store.ts'

/** The calls of a store that are needed here. */
export interface PastReadsParts {
  readonly range: (request: RangeRequest, options?: CallOptions) => Promise<RangeResult>
  readonly txn: (request: TxnRequest, options?: CallOptions) => Promise<TxnResult>
}

/**
 * Runs a transaction. What it reads of the past is read before it, which gives the same, as the past does not change; a refusal of such a
 * read ends it, in whichever branch it stands.
 *
 * @throws {AvisoError} Whatever the store throws.
 */
export async function txnWithPastReads(
  parts: PastReadsParts,
  request: TxnRequest,
  options?: CallOptions,
): Promise<TxnResult> {
  const operations = operationsIn(request)
  const writes = operations.some(({ kind }) => kind !== 'range')
  if (!writes || !operations.some(isPastRead)) return parts.txn(request, options)
  const read = new Map<StoreOperation, RangeResult>()
  for (const operation of operations) {
    if (isPastRead(operation)) read.set(operation, await parts.range(operation.range, options))
  }
  const isLeft = (operation: StoreOperation): boolean => !read.has(operation)
  const leave = (guarded: GuardedOperations): GuardedOperations => ({
    compare: guarded.compare,
    success: guarded.success.filter(isLeft),
    failure: (guarded.failure ?? []).filter(isLeft),
  })
  const result = await parts.txn({ ...leave(request), parts: request.parts?.map(leave) }, options)
  const join = (guarded: GuardedOperations, { succeeded, results }: GuardedResult): GuardedResult => {
    const answers = results[Symbol.iterator]()
    const joined = (succeeded ? guarded.success : (guarded.failure ?? [])).flatMap(
      (operation): OperationResult[] => {
        const past = read.get(operation)
        if (past !== undefined) return [{ kind: 'range', result: { ...past, revision: result.revision } }]
        const answer = answers.next()
        return answer.done === true ? [] : [answer.value]
      },
    )
    return { succeeded, results: joined }
  }
  const joinedParts = result.parts?.map((answer, index) => {
    const part = request.parts?.[index]
    return part === undefined ? answer : join(part, answer)
  })
  return {
    revision: result.revision,
    ...join(request, result),
    ...(joinedParts !== undefined && { parts: joinedParts }),
  }
}

/** All operations of a transaction, whichever branches they stand in. */
export function operationsIn({ parts = [], ...request }: TxnRequest): readonly StoreOperation[] {
  return [request, ...parts].flatMap(({ success, failure = [] }) => [...success, ...failure])
}

function isPastRead(operation: StoreOperation): operation is StoreOperation & { readonly kind: 'range' } {
  return operation.kind === 'range' && operation.range.revision !== undefined
}
