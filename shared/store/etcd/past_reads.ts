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
  const { success, failure = [] } = request
  const operations = [...success, ...failure]
  const writes = operations.some(({ kind }) => kind !== 'range')
  if (!writes || !operations.some(isPastRead)) return parts.txn(request, options)
  const read = new Map<StoreOperation, RangeResult>()
  for (const operation of operations) {
    if (isPastRead(operation)) read.set(operation, await parts.range(operation.range, options))
  }
  const isLeft = (operation: StoreOperation): boolean => !read.has(operation)
  const left = { compare: request.compare, success: success.filter(isLeft), failure: failure.filter(isLeft) }
  const result = await parts.txn(left, options)
  const answers = result.results[Symbol.iterator]()
  const results = (result.succeeded ? success : failure).flatMap((operation): OperationResult[] => {
    const past = read.get(operation)
    if (past !== undefined) return [{ kind: 'range', result: { ...past, revision: result.revision } }]
    const answer = answers.next()
    return answer.done === true ? [] : [answer.value]
  })
  return { ...result, results }
}

function isPastRead(operation: StoreOperation): operation is StoreOperation & { readonly kind: 'range' } {
  return operation.kind === 'range' && operation.range.revision !== undefined
}
