/**
 * Copies the history of a store into an embedded one, exactly. The database is made in a folder of its own, and gets its place when it is
 * whole and verified; whatever ends the work before, the next run begins again.
 *
 * @module
 */

import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AvisoError } from '#shared/errors.ts'
import { databaseFiles, FOLDER_MODE } from '#shared/runtime/database_files.ts'
import { databaseFile } from '#shared/runtime/process_host.ts'
import type { SqlDatabase } from '#shared/runtime/runtime.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { beginImport, type EmbeddedImport } from '#shared/store/open/import.ts'
import type { LeaseSeconds } from '#shared/store/open/leases.ts'
import type { OpenStoreParts } from '#shared/store/open/open.ts'
import type { KeyValue, Revision, Store, StoreEvent } from '#shared/store/store.ts'
import { keysAt, revisionsOf, type SourceBounds } from './source.ts'
import { stillClock } from './still_clock.ts'

/** Folder, inside the data folder, of a database that is not whole yet. */
const STAGING = 'migrating'

export interface ImportParts {
  readonly source: Store
  readonly bounds: SourceBounds
  readonly leases: LeaseSeconds
  readonly target: OpenStoreParts
  readonly onProgress: (what: 'reading' | 'writing', revision: Revision) => void
  /** Compares the copy with its source. What it throws ends the work. */
  readonly verify: (copy: Store) => Promise<void>
}

/** @throws {AvisoError} `ERR_CONFIG` where the target is not empty; and what `verify` throws. */
export async function importHistory(parts: ImportParts): Promise<void> {
  const { target, verify } = parts
  const { platform, dataFolder, clock, logger } = target
  await refuseFull(dataFolder)
  const staging = join(dataFolder, STAGING)
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { recursive: true, mode: FOLDER_MODE })
  try {
    const database = await platform.openDatabase(staging)
    await fill(database, parts)
    const copy = openEmbeddedStore(database, { clock: stillClock(clock), logger })
    try {
      await verify(copy)
    } finally {
      await copy.close()
    }
    await forgetWitness(await platform.openDatabase(staging))
    await rename(await databaseFile(staging), await databaseFile(dataFolder))
    await syncFolder(dataFolder)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function refuseFull(dataFolder: string): Promise<void> {
  const { main, log, witness } = databaseFiles(await databaseFile(dataFolder))
  for (const path of [main, log, witness]) {
    if ((await stat(path).catch(() => undefined)) === undefined) continue
    throw new AvisoError(
      'ERR_CONFIG',
      `The target is not empty: there is ${path}. Move it away, or name another folder with --data. Nothing was changed`,
    )
  }
}

async function fill(database: SqlDatabase, parts: ImportParts): Promise<void> {
  const { source, bounds, onProgress } = parts
  try {
    const target = beginImport(database)
    const leaseOf = createLeases(target, parts)
    const leased = async (kv: KeyValue): Promise<KeyValue> =>
      kv.lease === 0n ? kv : { ...kv, lease: await leaseOf(kv.lease) }
    if (bounds.base > 0n)
      for await (const page of keysAt(source, bounds.base)) {
        target.addState(await Promise.all(page.map(leased)))
        onProgress('writing', bounds.base)
      }
    for await (const { revision, events } of revisionsOf(source, bounds)) {
      const copied: StoreEvent[] = []
      for (const { kind, kv } of events) copied.push({ kind, kv: await leased(kv) })
      target.addRevision(copied)
      onProgress('writing', revision)
    }
    target.finish(bounds.base)
  } catch (error) {
    database.close()
    throw error
  }
}

/** Ids of leases in the copy, by those in the source; 0n for one that has ended. */
function createLeases(
  copy: EmbeddedImport,
  { leases, target: { clock } }: ImportParts,
): (id: bigint) => Promise<bigint> {
  const known = new Map<bigint, Promise<bigint>>()
  const add = async (id: bigint): Promise<bigint> => {
    const seconds = await leases(id)
    return seconds === undefined ? 0n : copy.addLease(clock.now() + seconds * 1_000)
  }
  return (id) => {
    const lease = known.get(id) ?? add(id)
    known.set(id, lease)
    return lease
  }
}

/** The witness that was made to verify the copy stays behind: the first start at the new place makes another one. */
async function forgetWitness(database: SqlDatabase): Promise<void> {
  database.run(`UPDATE meta SET value = 0 WHERE name = 'witnessed'`)
  database.close()
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
