/**
 * Changes a service's files in the store: push, remove, revert. Each change is one transaction where it fits into one; a larger one
 * ends with the status document, and is given up where somebody else changes the service meanwhile.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { fileKeyOf, statusKeyOf } from '#shared/service_files/layout.ts'
import { listService, readFile, type ServiceListing } from '#shared/service_files/read_service.ts'
import {
  nextServiceStatus,
  revisionBefore,
  withBase,
  type NextServiceStatus,
} from '#shared/service_files/service_status.ts'
import { compareBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import {
  MAX_TXN_BYTES,
  MAX_TXN_OPERATIONS,
  type Compare,
  type Revision,
  type Store,
  type StoreOperation,
} from '#shared/store/store.ts'

/** Bytes of names and numbers beside key and value of an operation. */
const OPERATION_BYTES = 64

/** What was changed. */
export interface ServiceChange {
  /** Paths written, and paths deleted. */
  readonly written: readonly string[]
  readonly deleted: readonly string[]
  readonly revision: Revision
}

/** A push. */
export interface Push {
  readonly service: string
  /** Path → content. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Also delete the files that are not among them. */
  readonly deleteOthers: boolean
  readonly status: Omit<NextServiceStatus, 'previous'>
}

/**
 * Writes files and a new status.
 *
 * @throws {AvisoError} `ERR_CONFLICT` when somebody else changes the service meanwhile: of several transactions some may be done; what the
 *   store throws.
 */
export async function pushFiles(store: Store, push: Push): Promise<ServiceChange> {
  const { service, files, deleteOthers } = push
  const listing = await listService(store, service)
  const deleted = deleteOthers ? [...listing.files.keys()].filter((path) => !files.has(path)) : []
  const status = nextServiceStatus({ ...push.status, previous: listing.status })
  const operations = [...putsOf(service, files), ...deletionsOf(service, deleted)]
  const revision = await apply(store, { service, listing, operations, status })
  return { written: [...files.keys()], deleted, revision }
}

/**
 * Deletes a service's files and its status; services of their own below it stay.
 *
 * @throws {AvisoError} As {@link pushFiles}; `ERR_NOT_FOUND` where there is nothing.
 */
export async function removeFiles(store: Store, service: string): Promise<ServiceChange> {
  const listing = await listService(store, service)
  requireFiles(listing, service)
  const deleted = [...listing.files.keys()]
  const revision = await apply(store, {
    service,
    listing,
    operations: deletionsOf(service, deleted),
    status: undefined,
  })
  return { written: [], deleted, revision }
}

/**
 * Brings back the state before the last change, the status included. Twice is back again.
 *
 * @throws {AvisoError} As {@link pushFiles}; `ERR_NOT_FOUND` where there is no earlier state, `ERR_HISTORY_COMPACTED` where it is no longer
 *   kept.
 */
export async function revertFiles(store: Store, service: string): Promise<ServiceChange> {
  const listing = await listService(store, service)
  requireFiles(listing, service)
  if (listing.status === undefined) throw noEarlierState(service)
  const at = revisionBefore(listing.status)
  const before = await listService(store, service, { at })
  if (before.status === undefined) throw noEarlierState(service)
  const files = new Map<string, Uint8Array>()
  for (const path of before.files.keys()) {
    const [then, now] = await Promise.all([
      readFile(store, { service, path, at }),
      readFile(store, { service, path }),
    ])
    if (then !== undefined && (now === undefined || compareBytes(then.value, now.value) !== 0))
      files.set(path, then.value)
  }
  const deleted = [...listing.files.keys()].filter((path) => !before.files.has(path))
  const operations = [...putsOf(service, files), ...deletionsOf(service, deleted)]
  const revision = await apply(store, { service, listing, operations, status: toText(before.status.value) })
  return { written: [...files.keys()], deleted, revision }
}

interface Change {
  readonly service: string
  readonly listing: ServiceListing
  readonly operations: readonly StoreOperation[]
  /** Absent: the status is deleted. */
  readonly status: string | undefined
}

async function apply(store: Store, { service, listing, operations, status }: Change): Promise<Revision> {
  const key = toBytes(statusKeyOf(service))
  const batches = split(operations)
  const base = batches.length > 1 ? listing.revision : undefined
  const last: StoreOperation =
    status === undefined
      ? { kind: 'delete', range: { key } }
      : { kind: 'put', key, value: toBytes(withBase(status, base)) }
  const guard: Compare = { key, target: 'MOD', result: 'EQUAL', value: listing.status?.modRevision ?? 0n }
  let revision = 0n
  for (const [index, batch] of batches.entries()) {
    const success = index === batches.length - 1 ? [...batch, last] : batch
    const result = await store.txn({ compare: [guard], success })
    if (!result.succeeded) throw conflict(service, index)
    revision = result.revision
  }
  return revision
}

/** As few batches as the store's limits allow; one at least, with room for the status in the last. */
function split(operations: readonly StoreOperation[]): readonly StoreOperation[][] {
  const batches: StoreOperation[][] = [[]]
  let bytes = 0
  for (const operation of operations) {
    const size = sizeOf(operation)
    const current = batches.at(-1) ?? []
    if (
      current.length > 0 &&
      (current.length + 2 > MAX_TXN_OPERATIONS || bytes + size > MAX_TXN_BYTES - 4_096)
    ) {
      batches.push([operation])
      bytes = size
    } else {
      current.push(operation)
      bytes += size
    }
  }
  return batches
}

function sizeOf(operation: StoreOperation): number {
  if (operation.kind !== 'put') return OPERATION_BYTES + operation.range.key.length
  return OPERATION_BYTES + operation.key.length + operation.value.length
}

function putsOf(service: string, files: ReadonlyMap<string, Uint8Array>): readonly StoreOperation[] {
  return [...files].map(([path, value]) => ({ kind: 'put', key: toBytes(fileKeyOf(service, path)), value }))
}

function deletionsOf(service: string, paths: readonly string[]): readonly StoreOperation[] {
  return paths.map((path) => ({ kind: 'delete', range: { key: toBytes(fileKeyOf(service, path)) } }))
}

function requireFiles({ status, files }: ServiceListing, service: string): void {
  if (status !== undefined || files.size > 0) return
  throw new AvisoError('ERR_NOT_FOUND', `No files found for service ${service}`)
}

function noEarlierState(service: string): AvisoError {
  return new AvisoError('ERR_NOT_FOUND', `There is no earlier state of service ${service} to go back to`)
}

function conflict(service: string, done: number): AvisoError {
  const partly = done === 0 ? 'nothing was changed' : `it was changed in part (${done} transactions)`
  return new AvisoError(
    'ERR_CONFLICT',
    `Somebody else has changed service ${service} meanwhile, ${partly}: look at it and do it again`,
  )
}
