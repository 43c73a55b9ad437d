/**
 * The documents of the repository.
 *
 * @module
 */

import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's top folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A document. */
export interface Document {
  /** Below {@link ROOT}. */
  readonly path: string
  readonly text: string
}

/** Installs what production needs, as a stranger does first; the next one installs the tools. */
const FIRST = ['README.md', '.github/CONTRIBUTING.md']
const PATTERNS = ['*.md', '.github/**/*.md', '{services,shared,scripts,tests}/**/*.md']

/** Every document, in the order in which a stranger can run them. */
export async function readDocuments(): Promise<readonly Document[]> {
  const paths: string[] = []
  for await (const path of glob(PATTERNS, { cwd: ROOT })) paths.push(path)
  const others = paths.filter((path) => !FIRST.includes(path)).toSorted()
  return Promise.all(
    [...FIRST, ...others].map(async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') })),
  )
}
