/**
 * The one thing that a program must know about its module.
 *
 * @module
 */

import { realpathSync } from 'node:fs'
import process from 'node:process'

/** Whether the module is the program that was started, and not imported by one. Node 20 has no `import.meta.main`. */
export function isMain({
  main,
  filename,
}: Pick<ImportMeta, 'filename'> & { readonly main?: boolean }): boolean {
  const [, program] = process.argv
  return main ?? (program !== undefined && realpathSync(program) === filename)
}
