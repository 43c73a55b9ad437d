/**
 * Changes a service's files in the store: push, remove, revert.
 *
 * A change is one transaction when it fits into one. A larger change takes several transactions and writes the status document last.
 * It stops with a conflict when another client changes the service meanwhile.
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

/** Bytes of an operation beside its key and value: names and numbers. */
const OPERATION_BYTES = 64

/** The result of a change. */
export interface ServiceChange {
  /** Paths of the files written. */
  readonly written: readonly string[]
  /** Paths of the files deleted. */
  readonly deleted: readonly string[]
  readonly revision: Revision
}

/** Files to write to a service. */
export interface Push {
  readonly service: string
  /** Path → content. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Whether to delete the service's other files. */
  readonly deleteOthers: boolean
  readonly status: Omit<NextServiceStatus, 'previous'>
}

/**
 * Writes files and a new status.
 *
 * @throws {AvisoError} `ERR_CONFLICT` when another client changes the service meanwhile: some of several transactions may then be done.
 *   Also what the store throws.
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
 * Deletes a service's files and its status. Services whose names lie below it stay.
 *
 * @throws {AvisoError} As {@link pushFiles}; `ERR_NOT_FOUND` when the service has no files.
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
 * Restores the state before the last change, including the status. A second revert undoes the first.
 *
 * @throws {AvisoError} As {@link pushFiles}; `ERR_NOT_FOUND` when there is no earlier state, `ERR_HISTORY_COMPACTED` when the store no
 *   longer keeps it.
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

/** Splits operations into as few batches as the store's limits allow: at least one, and the last has room for the status. */
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
    `Another client has changed service ${service} meanwhile, ${partly}: check the service and try again`,
  )
}
