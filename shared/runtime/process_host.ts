/**
 * What Node, Deno and Bun have in common as processes.
 *
 * @module
 */

import { mkdir } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'

/** File name of the embedded store inside its data folder. */
const DATABASE_FILE = 'aviso.sqlite'

/** Path of the embedded store's database, its folder made; `undefined` folder: SQLite's name for a database in memory. */
export async function databaseFile(folder: string | undefined): Promise<string> {
  if (folder === undefined) return ':memory:'
  await mkdir(folder, { recursive: true })
  return join(folder, DATABASE_FILE)
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
