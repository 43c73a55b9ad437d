/**
 * The files of a database: who may read them, and what lies beside them.
 *
 * @module
 */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { WitnessFile } from './runtime.ts'

/** Only the user of the process. */
export const FILE_MODE = 0o600
export const FOLDER_MODE = 0o700
/** The rights of everybody else. */
const OTHERS = 0o077

/** Names of the files that belong to a database. */
export interface DatabaseFiles {
  readonly main: string
  /** SQLite's write-ahead log. */
  readonly log: string
  /** SQLite's index of the log, which programs share that have it open. */
  readonly index: string
  /** SQLite's journal, from before the log is in use. */
  readonly journal: string
  readonly witness: string
  /** A copy that is being made or read. */
  readonly copy: string
}

export function databaseFiles(main: string): DatabaseFiles {
  const base = main.replace(/\.sqlite$/, '')
  return {
    main,
    log: `${main}-wal`,
    index: `${main}-shm`,
    journal: `${main}-journal`,
    witness: `${base}.witness`,
    copy: `${base}.copy`,
  }
}

/** Bytes of a file; `undefined` where there is none. */
export function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

/** Takes the rights of others to a file or folder that exists. @param warn Told where that cannot be done. */
export function secure(path: string, mode: number, warn: (message: string) => void): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || (found.mode & OTHERS) === 0) return
  try {
    chmodSync(path, mode)
  } catch {
    warn(
      `Others may read ${path}, and this process cannot change that: chmod it, or choose another data folder`,
    )
  }
}

/** Makes an empty file that only this user may read, or leaves what is there. */
export function makeFile(path: string): void {
  closeSync(openSync(path, 'a', FILE_MODE))
}

/** Writes a file whole: it is on disk, or the old one is, when this returns or throws. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  try {
    writeFileWhole(temporary, bytes)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncPath(dirname(path))
}

function writeFileWhole(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', FILE_MODE)
  try {
    writeSync(file, bytes, 0, bytes.length, 0)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Has a file or the names in a folder on disk. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** The witness file of an open database. */
export function openWitness(path: string): WitnessFile & { close(): void } {
  let file: number | undefined
  const close = (): void => {
    if (file !== undefined) closeSync(file)
    file = undefined
  }
  return {
    read: () => readIfThere(path),
    create: (bytes) => {
      close()
      replaceFile(path, bytes)
      file = openSync(path, 'r+')
    },
    write: (bytes, position) => {
      file ??= openSync(path, 'r+')
      writeSync(file, bytes, 0, bytes.length, position)
    },
    close,
  }
}

/** Bytes of a file; `undefined` where there is none. */
export function readIfThere(path: string): Uint8Array | undefined {
  return sizeOf(path) === undefined ? undefined : readFileSync(path)
}
