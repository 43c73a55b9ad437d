/**
 * The room of a data folder: a small disk of its own in memory, where this machine lets us mount one.
 *
 * @module
 */

import { spawnSync } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { outputOf, runCommand } from '../../../scripts/run_command.ts'

/** Takes room away, and gives it back. */
export interface Room {
  /** Whether it is a disk. If not, the files of a process cannot grow: it is told that they are too large, not that the disk is full. */
  readonly isDisk: boolean
  /** Takes all room. @param pid The process that writes. */
  fill(pid: number): Promise<void>
  free(pid: number): Promise<void>
  close(): Promise<void>
}

/** More than the rounds of a long run write. */
const MEGABYTES = 256
const PIECE_BYTES = 1024 * 1024
const FILLER = 'filler'

/** @param folder An empty folder. */
export async function openRoom(folder: string, megabytes = MEGABYTES): Promise<Room> {
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`]
  const { code } = await runCommand('mount', [...options, 'tmpfs', folder]).catch(() => ({ code: 1 }))
  return code === 0 ? diskAt(folder) : limitOfFiles()
}

function diskAt(folder: string): Room {
  const filler = join(folder, FILLER)
  // Not left behind, however this process ends: a lazy one works while the folder is in use.
  const unmount = (): void => void spawnSync('umount', ['--lazy', folder])
  process.on('exit', unmount)
  return {
    isDisk: true,
    fill: () => fill(filler),
    free: () => rm(filler, { force: true }),
    close: async () => {
      process.off('exit', unmount)
      await outputOf('umount', ['--lazy', folder])
    },
  }
}

/** Writes until nothing fits any more, not even a byte. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'a')
  try {
    for (let bytes = PIECE_BYTES; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      while (await fits(file.appendFile(Buffer.alloc(bytes))));
    }
  } finally {
    await file.close()
  }
}

function fits(writing: Promise<void>): Promise<boolean> {
  return writing.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
      throw error
    },
  )
}

function limitOfFiles(): Room {
  const limit = (pid: number, bytes: string) =>
    outputOf('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])
  return {
    isDisk: false,
    fill: async (pid) => {
      await limit(pid, '0')
    },
    free: async (pid) => {
      // A process that was killed has no limit any more.
      await limit(pid, 'unlimited').catch(() => undefined)
    },
    close: async () => undefined,
  }
}
