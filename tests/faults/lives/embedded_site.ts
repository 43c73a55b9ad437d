/**
 * One server process on a data folder, which is killed, damaged and put back.
 *
 * @module
 */

import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  INTERNAL,
  EPOCH,
  nameOfValue,
  toJournal,
  type JournalRecord,
  type StoredRevision,
  type Write,
} from '../records.ts'
import { startService, type ServiceProcess } from '../service_process.ts'
import { writeConfig } from '../site.ts'
import { openRoom, type Room } from './room.ts'

/** Files of the store, by their names in the data folder. */
export const DATABASE = 'aviso.sqlite'
export const LOG = 'aviso.sqlite-wal'
export const INDEX = 'aviso.sqlite-shm'
export const WITNESS = 'aviso.witness'

/** What runs. */
export interface EmbeddedSite {
  readonly server: ServiceProcess
  readonly data: string
  /** Copies database and log as a power cut would leave them, without the witness: nothing is written meanwhile. */
  copyTo(folder: string): Promise<void>
  /** Everything that the store holds, read without the product. */
  truth(): Promise<readonly StoredRevision[]>
  /** The first revision that is not compacted, read without the product. */
  wholeFrom(): Promise<bigint>
  /** For copies. */
  readonly folder: string
  readonly room: Room
  close(): Promise<void>
}

/** Where a copy is kept for later. */
export function savedFolder({ folder }: EmbeddedSite): string {
  return join(folder, 'saved')
}

/** Starts it. */
export async function startEmbeddedSite(): Promise<EmbeddedSite> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-embedded-'))
  const data = join(folder, 'data')
  await mkdir(data)
  const room = await openRoom(data)
  try {
    const config = await writeConfig(folder)
    const argv = ['rest', 'auth', '--store', 'embedded:', '--data', data, '--config', config]
    const server = await startService('server', argv)
    const copyTo = (target: string): Promise<void> => copyPaused(server, data, target)
    return {
      server,
      data,
      folder,
      room,
      copyTo,
      truth: async () => {
        await copyTo(join(folder, 'truth'))
        return readHistory(join(folder, 'truth', DATABASE))
      },
      wholeFrom: async () => {
        await copyTo(join(folder, 'truth'))
        return readCompacted(join(folder, 'truth', DATABASE))
      },
      close: async () => {
        await server.stop('SIGKILL')
        await room.close()
        await rm(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await room.close()
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

async function copyPaused(server: ServiceProcess, data: string, target: string): Promise<void> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
  server.signal('SIGSTOP')
  try {
    for (const name of [DATABASE, LOG]) await cp(join(data, name), join(target, name)).catch(ignoreMissing)
  } finally {
    server.signal('SIGCONT')
  }
}

/** A store that was closed has no log. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
}

/** Reads a copy of a database. An event's id is its revision · 2^20, its place, and whether it is a deletion. */
function readHistory(path: string): readonly StoredRevision[] {
  const database = new DatabaseSync(path)
  try {
    const rows = database
      .prepare('SELECT id >> 20 AS revision, id & 1 AS deletion, key, value FROM events ORDER BY id')
      .all()
    const revisions = Map.groupBy(rows, ({ revision }) => Number(revision))
    return [...revisions].map(([revision, events]) => toRevision(BigInt(revision), events))
  } finally {
    database.close()
  }
}

function readCompacted(path: string): bigint {
  const database = new DatabaseSync(path)
  try {
    const row = database.prepare("SELECT value FROM meta WHERE name = 'compacted'").get()
    return BigInt(Number(row?.['value'] ?? 0))
  } finally {
    database.close()
  }
}

function toRevision(revision: bigint, rows: readonly Readonly<Record<string, unknown>>[]): StoredRevision {
  const writes: Write[] = []
  const journals: JournalRecord[] = []
  let epoch: string | undefined
  for (const row of rows) {
    const [key, value] = [textOf(row['key']), textOf(row['value'])]
    const isDeletion = row['deletion'] === 1
    if (key === EPOCH && !isDeletion) epoch = value
    const journal = isDeletion ? undefined : toJournal(key, value)
    if (journal !== undefined) journals.push(journal)
    if (key.startsWith(INTERNAL)) continue
    writes.push(
      isDeletion ? { kind: 'delete', key, value: '' } : { kind: 'put', key, value: nameOfValue(value) },
    )
  }
  return { revision, writes, journals, ...(epoch !== undefined && { epoch }) }
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : ''
}
