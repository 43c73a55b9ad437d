/**
 * Tells whether a module is the program that was started.
 *
 * @module
 */

import { realpathSync } from 'node:fs'
import process from 'node:process'
import { IS_RELEASE } from './released.ts'

/**
 * Whether a module was started as the program, and not imported. Node 20 has no `import.meta.main`, so the file names are compared. The modules
 * of a release are one program, which has a start of its own.
 */
export function isMain({
  main,
  filename,
}: Pick<ImportMeta, 'filename'> & { readonly main?: boolean }): boolean {
  if (IS_RELEASE) return false
  const [, program] = process.argv
  return main ?? (program !== undefined && realpathSync(program) === filename)
}
