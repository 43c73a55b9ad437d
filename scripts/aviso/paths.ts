/**
 * Paths as people write them.
 *
 * @module
 */

import { ClientError } from '#shared/client/client_error.ts'

/** What names in a path stand for. */
export interface PathNames {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** `$NAME` or `${NAME}`, with names as shells have them. */
const VARIABLE = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g

/** Replaces `~` and `~/…` by the home folder, as a shell does. */
export function expandHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path
}

/**
 * Replaces `~`, `$HOME` and other variables in a path of a listener file, as 1.x's users write it.
 *
 * @throws {ClientError} for a variable that is not set: the path would be another one.
 */
export function expandPath(path: string, { home, environment }: PathNames): string {
  return expandHome(path, home).replaceAll(VARIABLE, (_match, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? ''
    const value = name === 'HOME' ? home : environment[name]
    if (value === undefined || value === '')
      throw new ClientError(`the variable ${name} in ${path} is not set`)
    return value
  })
}
