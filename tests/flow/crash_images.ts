/**
 * The files of a data folder as a SIGKILL would leave them, at each step of something that works on them: what a killed process has written is
 * there for the next one, also where it was not synced.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { StatementSync } from 'node:sqlite'

/** A copy of a folder. */
export interface Image {
  /** What came next. */
  readonly before: string
  readonly folder: string
}

/** The calls that change files, and those that come between them. */
const CALLS = [
  'openSync',
  'writeSync',
  'fsyncSync',
  'renameSync',
  'rmSync',
  'linkSync',
  'mkdirSync',
  'copyFileSync',
] as const
/** Statements between two images. */
const STATEMENTS = 100

type Call = (...args: unknown[]) => unknown

/**
 * Does work, and copies a folder before each call to the file system, and within SQLite's writing now and then, where it has changed since.
 *
 * @param into An empty folder outside of it, for the copies.
 */
export async function takeImages(
  folder: string,
  into: string,
  work: () => Promise<unknown>,
): Promise<readonly Image[]> {
  const images: Image[] = []
  let last = ''
  let isBusy = false
  const take = (before: string): void => {
    if (isBusy) return
    isBusy = true
    const state = stateOf(folder)
    if (state !== last) {
      const target = join(into, String(images.length))
      fs.cpSync(folder, target, { recursive: true })
      images.push({ before, folder: target })
    }
    last = state
    isBusy = false
  }
  const undo = [watchStatements(take), ...CALLS.map((name) => watchCall(name, take))]
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    for (const step of undo) step()
    syncBuiltinESMExports()
  }
  return images
}

/** Names and contents of the files below a folder. */
function stateOf(folder: string): string {
  const hash = createHash('sha256')
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    hash.update(`${path}\n`)
    if (entry.isFile()) hash.update(fs.readFileSync(path))
  }
  return hash.digest('hex')
}

function watchCall(name: (typeof CALLS)[number], take: (before: string) => void): () => void {
  const calls = fs as unknown as Record<string, Call>
  const inner = calls[name] as Call
  calls[name] = (...args) => {
    take(`${name} ${args.filter((one) => typeof one === 'string').join(' ')}`)
    return inner(...args)
  }
  return () => {
    calls[name] = inner
  }
}

function watchStatements(take: (before: string) => void): () => void {
  const statements = StatementSync.prototype as unknown as Record<'run', Call>
  const inner = statements.run
  let count = 0
  statements.run = function (this: StatementSync, ...parameters) {
    if (++count % STATEMENTS === 0) take(`statement ${count}`)
    return inner.apply(this, parameters)
  }
  return () => {
    statements.run = inner
  }
}
