/**
 * Tells whether a module is the program that was started.
 *
 * @module
 */

import { realpathSync } from 'node:fs'
import process from 'node:process'

/** Whether a module was started as the program, and not imported. Node 20 has no `import.meta.main`, so the file names are compared. */
export function isMain({
  main,
  filename,
}: Pick<ImportMeta, 'filename'> & { readonly main?: boolean }): boolean {
  const [, program] = process.argv
  return main ?? (program !== undefined && realpathSync(program) === filename)
}
