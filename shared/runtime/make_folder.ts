/**
 * Makes folders.
 *
 * @module
 */

import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder, and those above it that are missing, one by one. Node's own recursive way never ends where a file system says that the
 * parent of a new folder is missing although it is there, as `/proc` does.
 *
 * @param mode Rights of each folder that is made.
 * @throws what the file system answers, also where a file is in the folder's place.
 */
export function makeFolder(path: string, mode: number): void {
  const missing: string[] = []
  for (let folder = resolve(path); !isThere(folder); folder = dirname(folder)) missing.unshift(folder)
  for (const folder of missing) makeOne(folder, mode)
  // A file in its place is refused as `mkdir` does.
  if (!statSync(path).isDirectory()) mkdirSync(path)
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    // Another process may have made it first.
    if (!isThere(folder)) throw error
  }
}
