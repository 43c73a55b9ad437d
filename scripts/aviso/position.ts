/**
 * Keeps the position of a listener on disk between runs. A position is the cursor up to which all notifications are handled.
 *
 * Flow: trigger → **position** → stream
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { systemClock } from '#shared/time/clock.ts'
import { ownerText, takeOwnership, thisOwner, type Ownership, type TakeOptions } from './position_owner.ts'
import { makeFolder } from '#shared/runtime/make_folder.ts'

/** Identifies a position: another server, event, request or name has another position. */
export interface PositionKey {
  /** Address of the service. */
  readonly server: string
  readonly event: string
  readonly request: Readonly<Record<string, readonly string[]>>
  readonly name?: string | undefined
}

/** An open position, held by this process until it is closed. */
export interface Position {
  /** Whether other processes cannot open it meanwhile. Node before 22.13 has no lock that ends together with its process. */
  readonly isLocked: boolean
  /** The cursor that this process or an earlier one saved last. */
  readonly cursor: string | undefined
  /** Path of the file beside the position for notifications that were passed over. */
  readonly deadLetters: string
  /** Writes a cursor to disk. A crash leaves either the old or the new cursor. */
  save(cursor: string): Promise<void>
  close(): void
}

/** How to open a position. */
export interface OpenOptions extends Partial<Pick<TakeOptions, 'clock' | 'owner' | 'stop' | 'onWait'>> {
  /** Whether to forget the saved position, even when it cannot be read. */
  readonly anew?: boolean
}

const FORMAT = 1
const stateFile = v.object({
  version: v.literal(FORMAT),
  cursor: v.pipe(v.string(), v.regex(/^[!-~]{1,512}$/)),
})

/**
 * Reads the saved cursor without holding the position, so that a dry run can look beside a listener that runs.
 *
 * @throws {ClientError} when its file cannot be read.
 */
export function readCursor(folder: string, key: PositionKey): Promise<string | undefined> {
  return read(join(folder, `${fileName(describe(key))}.json`))
}

/**
 * Opens the position of a listener in `folder`, which is created if it does not exist.
 *
 * @throws {ClientError} when another process, here or on another host, has it open, or its file cannot be read.
 */
export async function openPosition(
  folder: string,
  key: PositionKey,
  { anew = false, clock = systemClock, owner = thisOwner(), stop, onWait }: OpenOptions = {},
): Promise<Position> {
  const identity = describe(key)
  const name = fileName(identity)
  const path = join(folder, `${name}.json`)
  try {
    makeFolder(folder, 0o700)
  } catch (cause) {
    throw new ClientError(
      `Cannot make the folder ${folder} for positions: ${messageOf(cause)}; name another folder with --state`,
      { cause },
    )
  }
  const ownerPath = join(folder, `${name}.owner`)
  const unlock = await lock(`${path}.lock`, key, ownerPath)
  let ownership: Ownership | undefined
  const close = (): void => {
    ownership?.release()
    unlock?.()
  }
  try {
    const what = `This listener (${whatOf(key)})`
    const taking = { owner, what, clock, stop, onWait, isLocked: unlock !== undefined }
    const held = await takeOwnership(ownerPath, taking)
    ownership = held
    if (anew) await rm(path, { force: true })
    let cursor = await read(path)
    return {
      isLocked: unlock !== undefined,
      deadLetters: join(folder, `${name}.dead.ndjson`),
      get cursor() {
        return cursor
      },
      async save(next) {
        await held.check()
        await write(
          folder,
          path,
          `${JSON.stringify({ ...identity, cursor: next, saved_at: new Date().toISOString() }, undefined, 2)}\n`,
        )
        cursor = next
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** Sorts fields and values, so that a request in another order has the same position. */
function describe({ server, event, request, name }: PositionKey) {
  const fields = Object.keys(request).toSorted()
  const sorted = Object.fromEntries(fields.map((field) => [field, [...new Set(request[field])].toSorted()]))
  return { version: FORMAT, server, event, request: sorted, ...(name !== undefined && { name }) }
}

function fileName(identity: object): string {
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32)
}

async function read(path: string): Promise<string | undefined> {
  try {
    return v.parse(stateFile, JSON.parse(await readFile(path, 'utf8'))).cursor
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new ClientError(`The position in ${path} cannot be read: start with --now to forget it`, {
      cause: error,
    })
  }
}

/** Writes the file, renames it and syncs the folder. Each step is on disk before the next one starts. */
async function write(folder: string, path: string, content: string): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const directory = await open(folder, 'r')
  await directory.sync().finally(() => directory.close())
}

/**
 * Takes the lock of an SQLite file, which the operating system releases however the process ends. Node has no other access to such locks,
 * and a file with a process id would outlive its process.
 *
 * @returns a function that unlocks; `undefined` when this Node has no SQLite
 */
async function lock(path: string, key: PositionKey, ownerPath: string): Promise<(() => void) | undefined> {
  const sqlite = await import('node:sqlite').catch(() => undefined)
  if (sqlite === undefined) return undefined
  const database = openLockFile(() => new sqlite.DatabaseSync(path), path)
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if (!/locked|busy/i.test(messageOf(cause))) throw unwritable(path, cause)
    const who = await ownerText(ownerPath)
    throw new ClientError(
      `This listener (${whatOf(key)}) is already running with the same request${who === undefined ? '' : `, on ${who}`}: give one of them a "name", or another --state folder`,
      { cause },
    )
  }
  return () => database.close()
}

function whatOf({ event, name }: PositionKey): string {
  return name === undefined ? `event ${event}` : `event ${event}, name ${name}`
}

function openLockFile<Database>(open: () => Database, path: string): Database {
  try {
    return open()
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function unwritable(path: string, cause: unknown): ClientError {
  return new ClientError(
    `Cannot write in the folder ${dirname(path)} for positions: ${messageOf(cause)}; name another folder with --state`,
    { cause },
  )
}
