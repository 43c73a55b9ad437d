/**
 * Writes checksums of the files of a release, in the form of `sha256sum`.
 *
 * @module
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'

/** Writes the checksums of files to `path`, a file beside them. `sha256sum --check` reads it there. */
export async function writeChecksums(files: readonly string[], path: string): Promise<void> {
  const lines: string[] = []
  for (const file of files) lines.push(`${await sha256(file)}  ${basename(file)}\n`)
  await writeFile(path, lines.join(''))
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  // An executable is 100 MB.
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex')
}
