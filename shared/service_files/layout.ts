/**
 * Where the store keeps the configuration files of services, as aviso 1.x lays them out: `/ec/config/<service>/<path>` for each
 * file, and a status document at `/ec/config/<service>`.
 *
 * A service is found by its exact name: `aviso/v1` has nothing to do with `aviso/v10`, nor with what lies below `aviso/v1/` as a
 * service of its own.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { prefixEnd, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** Prefix of all services. */
export const SERVICES_PREFIX = '/ec/config/'

/** Largest file: 1.x's hard limit. */
export const MAX_FILE_BYTES = 1_048_576

/** Most files of one service: they are listed at once. */
export const MAX_FILES = 1_000

const MAX_NAME = 128
const MAX_PATH = 512
const SERVICE = /^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/

/**
 * Checks the name of a service, such as `aviso/v1`.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST`
 */
export function checkServiceName(service: string): string {
  if (service.length <= MAX_NAME && SERVICE.test(service)) return service
  throw new AvisoError(
    'ERR_BAD_REQUEST',
    'The name of a service is made of letters, digits, _ . - and slashes between, such as aviso/v1',
    {
      details: { field: 'service' },
    },
  )
}

/** Why a text is no relative path of a file, or `undefined` where it is one. It will be written below a folder of somebody else's. */
export function whyNoPath(path: string): string | undefined {
  if (path === '' || path.length > MAX_PATH) return `it must have 1 to ${MAX_PATH} characters`
  if (/[\p{Cc}\\]/u.test(path) || !path.isWellFormed())
    return 'it must not hold control characters or backslashes'
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'it must be relative, without empty or dotted parts'
  return undefined
}

/** Key of a service's status document. */
export function statusKeyOf(service: string): string {
  return SERVICES_PREFIX + service
}

/** Key of a file. */
export function fileKeyOf(service: string, path: string): string {
  return `${SERVICES_PREFIX}${service}/${path}`
}

/** The range that holds a service's status and files, and keys of others beside them: see {@link pathsOf}. */
export function serviceRange(service: string): Required<KeyRange> {
  return { key: toBytes(statusKeyOf(service)), end: prefixEnd(toBytes(`${statusKeyOf(service)}/`)) }
}

/**
 * The paths of a service's own files among the keys of {@link serviceRange}. A key that is also the folder of others is the status
 * of a service of its own, which with all its files is left out.
 */
export function pathsOf(service: string, keys: readonly string[]): readonly string[] {
  const prefix = `${statusKeyOf(service)}/`
  const paths = keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
  const folders = new Set(paths.flatMap((path) => foldersOf(path)))
  const nested = new Set(paths.filter((path) => folders.has(path)))
  return paths.filter((path) => !nested.has(path) && foldersOf(path).every((folder) => !nested.has(folder)))
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}
