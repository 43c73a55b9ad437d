/**
 * What Node, Deno and Bun have in common as processes.
 *
 * @module
 */

import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { AvisoError } from '#shared/errors.ts'
import { FOLDER_MODE, secure } from './database_files.ts'
import { makeFolder } from './make_folder.ts'
import type { DatabaseOptions, SqlDatabase } from './runtime.ts'
import { openSqlite } from './sqlite.ts'

/** File name of the embedded store inside its data folder. */
const DATABASE_FILE = 'aviso.sqlite'

/** Opens the embedded store's database in a folder, which is made; `undefined` folder: in memory. */
export async function openHostDatabase(
  folder: string | undefined,
  options: DatabaseOptions = {},
): Promise<SqlDatabase> {
  if (folder === undefined) return openSqlite(':memory:')
  return openSqlite(await databaseFile(folder, options.warn), options)
}

/**
 * Path of the embedded store's database. The folder is made, and is for this user alone.
 *
 * @throws {AvisoError} `ERR_CONFIG` where it cannot be made.
 */
export async function databaseFile(
  folder: string,
  warn: (message: string) => void = () => undefined,
): Promise<string> {
  try {
    makeFolder(folder, FOLDER_MODE)
  } catch (cause) {
    throw new AvisoError(
      'ERR_CONFIG',
      `The data folder ${folder} cannot be made: check that no file is in its place and that its parent may be written, or name another folder with --data`,
      { cause },
    )
  }
  secure(folder, FOLDER_MODE, warn)
  return databasePath(folder)
}

/** Path of the embedded store's database, which may not be there. */
export function databasePath(folder: string): string {
  return join(folder, DATABASE_FILE)
}

/** Longest time that the work at a stop may take. */
const STOP_LIMIT_MS = 15_000

/** Has work done at a stop signal, and ends the process then; see `Platform.onStop`. */
export function onStop(close: () => Promise<void>): void {
  const stop = (): void => {
    setTimeout(() => process.exit(1), STOP_LIMIT_MS)
    void close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
}

/** Who writes, for the status document of 1.x. */
export function processIdentity(): { readonly unixUser: string; readonly hostname: string } {
  return { unixUser: currentUser(), hostname: hostname() }
}

function currentUser(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a user id without a name.
    return 'unknown'
  }
}
