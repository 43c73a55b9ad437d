/**
 * Tells a clone from a release: how users call this program, how it calls itself, and where it may keep what can be made again.
 *
 * @module
 */

import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** `npm run release` replaces it (`scripts/release/bundle.ts`); a clone does not have it. */
declare const AVISO_IS_RELEASE: boolean | undefined

/** Whether this is the program of a release, and not the sources of a clone. */
export const IS_RELEASE = typeof AVISO_IS_RELEASE !== 'undefined'

/** How users call the program; a command follows. */
export const CALL = IS_RELEASE ? 'aviso' : 'npm run aviso --'

/** How users start the services; flags follow. */
export const SERVE_CALL = IS_RELEASE ? 'aviso serve' : 'npm start --'

/** Bun's name for the files inside an executable. */
const INSIDE_EXECUTABLE = '/$bunfs/'

/** The command line that starts the services in a process of their own. */
export function serveCommand(): readonly [program: string, ...argv: string[]] {
  const [, program = ''] = process.argv
  if (!IS_RELEASE) {
    const script = fileURLToPath(new URL('./serve.ts', import.meta.url))
    return [process.execPath, '--disable-warning=ExperimentalWarning', script]
  }
  return program.startsWith(INSIDE_EXECUTABLE)
    ? [process.execPath, 'serve']
    : [process.execPath, program, 'serve']
}

/** The command line that starts this same program once more, with the same arguments. */
export function workerCommand(runtime: string): readonly [program: string, ...argv: string[]] {
  const [, program = '', ...argv] = process.argv
  if (program.startsWith(INSIDE_EXECUTABLE)) return [process.execPath, ...argv]
  // Deno does not tell its own options.
  const options = runtime === 'deno' ? ['run', '-A', '--no-check', '--quiet'] : process.execArgv
  return [process.execPath, ...options, program, ...argv]
}

/** Folder for what can be made again: `.cache` of a clone, or the user's folder for such things. */
export function cacheFolder(): string {
  if (!IS_RELEASE) return fileURLToPath(new URL('../.cache', import.meta.url))
  const named = process.env['XDG_CACHE_HOME'] ?? ''
  return join(named === '' ? join(homedir(), '.cache') : named, 'aviso')
}
