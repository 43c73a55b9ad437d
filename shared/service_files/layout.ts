/**
 * The store keys of services' configuration files, as in aviso 1.x: `/ec/config/<service>/<path>` for each file, and a status document at
 * `/ec/config/<service>`.
 *
 * A service is found by its exact name. `aviso/v1` is independent of `aviso/v10`, and of any other service below `aviso/v1/`.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { prefixEnd, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

/** Prefix of the keys of all services. */
export const SERVICES_PREFIX = '/ec/config/'

/** Size of the largest file: 1.x's hard limit. */
export const MAX_FILE_BYTES = 1_048_576

/** Most files of one service, because they are listed in one request. */
export const MAX_FILES = 1_000

const MAX_NAME = 128
const MAX_PATH = 512
const SERVICE = /^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/

/**
 * Checks the name of a service, such as `aviso/v1`.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` when the name is not valid.
 */
export function checkServiceName(service: string): string {
  if (service.length <= MAX_NAME && SERVICE.test(service)) return service
  throw new AvisoError(
    'ERR_BAD_REQUEST',
    'The name of a service has letters, digits, _ . - and slashes between names, such as aviso/v1',
    {
      details: { field: 'service' },
    },
  )
}

/** The reason why a text is not a valid path of a file; `undefined` when it is. Clients write files at this path below their own folder. */
export function whyNoPath(path: string): string | undefined {
  if (path === '' || path.length > MAX_PATH) return `it must have 1 to ${MAX_PATH} characters`
  if (/[\p{Cc}\\]/u.test(path) || !path.isWellFormed())
    return 'it must not hold control characters or backslashes'
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'it must be relative, without empty or dotted parts'
  return undefined
}

/** Store key of a service's status document. */
export function statusKeyOf(service: string): string {
  return SERVICES_PREFIX + service
}

/** Store key of a file. */
export function fileKeyOf(service: string, path: string): string {
  return `${SERVICES_PREFIX}${service}/${path}`
}

/** The range of a service's status and files. It also holds keys of other services, which {@link pathsOf} leaves out. */
export function serviceRange(service: string): Required<KeyRange> {
  return { key: toBytes(statusKeyOf(service)), end: prefixEnd(toBytes(`${statusKeyOf(service)}/`)) }
}

/**
 * The paths of a service's own files among the keys of {@link serviceRange}. A key that is also the folder of other keys is the status of
 * another service. It is left out together with its files.
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
