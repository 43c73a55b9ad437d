/**
 * Paths as people write them.
 *
 * @module
 */

/** Replaces `~` and `~/…` by the home folder, as a shell does. */
export function expandHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path
}
