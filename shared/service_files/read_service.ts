/**
 * Reads a service's files from the store, now or as they were.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CallOptions, KeyValue, Revision, Store } from '#shared/store/store.ts'
import { MAX_FILES, fileKeyOf, pathsOf, serviceRange, statusKeyOf } from './layout.ts'

/** A service's files, without their contents. */
export interface ServiceListing {
  /** The status document, with its content; absent where nobody has pushed. */
  readonly status: KeyValue | undefined
  /** Path → key without value, by path. */
  readonly files: ReadonlyMap<string, KeyValue>
  /** The store's revision when it was read. */
  readonly revision: Revision
}

/**
 * Lists a service.
 *
 * @param at Revision to look at; absent: now.
 * @throws {AvisoError} `ERR_TOO_LARGE` for too many files, `ERR_HISTORY_COMPACTED`, and what the store throws.
 */
export async function listService(
  store: Store,
  service: string,
  { at, ...options }: CallOptions & { readonly at?: Revision } = {},
): Promise<ServiceListing> {
  const range = serviceRange(service)
  const request = {
    ...range,
    keysOnly: true,
    limit: MAX_FILES + 1,
    ...(at !== undefined && { revision: at }),
  }
  const { kvs, more, revision } = await store.range(request, options)
  if (more)
    throw new AvisoError('ERR_TOO_LARGE', `The service ${service} has more than ${MAX_FILES} keys beside it`)
  const keys = new Map(kvs.map((kv) => [toText(kv.key), kv]))
  const files = new Map<string, KeyValue>()
  for (const path of pathsOf(service, [...keys.keys()])) {
    const kv = keys.get(fileKeyOf(service, path))
    if (kv !== undefined) files.set(path, kv)
  }
  const listed = keys.get(statusKeyOf(service))
  const status = listed === undefined ? undefined : await readKey(store, listed, at ?? revision, options)
  return { status, files, revision }
}

/**
 * The content of a file.
 *
 * @param at Revision to read at.
 * @returns `undefined` where there is no such file.
 */
export async function readFile(
  store: Store,
  { service, path, at }: { readonly service: string; readonly path: string; readonly at?: Revision },
  options?: CallOptions,
): Promise<KeyValue | undefined> {
  const request = { key: toBytes(fileKeyOf(service, path)), ...(at !== undefined && { revision: at }) }
  return (await store.range(request, options)).kvs[0]
}

async function readKey(
  store: Store,
  { key }: KeyValue,
  at: Revision,
  options: CallOptions,
): Promise<KeyValue | undefined> {
  return (await store.range({ key, revision: at }, options)).kvs[0]
}
