/**
 * Reads a service's files from the store, now or at an earlier revision.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { CallOptions, KeyValue, Revision, Store } from '#shared/store/store.ts'
import { MAX_FILES, fileKeyOf, pathsOf, serviceRange, statusKeyOf } from './layout.ts'

/** A service's files, without their contents. */
export interface ServiceListing {
  /** The status document, with its content; absent before the first push. */
  readonly status: KeyValue | undefined
  /** Path → key without value, by path. */
  readonly files: ReadonlyMap<string, KeyValue>
  /** The store's revision when the files were listed. */
  readonly revision: Revision
}

/**
 * Lists the files of a service.
 *
 * @param at Revision to read at; absent: now.
 * @throws {AvisoError} `ERR_TOO_LARGE` when there are too many files, `ERR_HISTORY_COMPACTED` when the store no longer keeps the revision,
 *   and what the store throws.
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
    throw new AvisoError(
      'ERR_TOO_LARGE',
      `There are more than ${MAX_FILES} keys under the service ${service}`,
    )
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
 * Reads a file with its content.
 *
 * @param at Revision to read at; absent: now.
 * @returns the file's key and content; `undefined` when there is no such file
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
