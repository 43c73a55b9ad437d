/**
 * Names of the folders that an embedded store is moved to when another takes its place.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'

/** @param why One word: what happened to it. */
export function asideName(why: string, clock: Pick<Clock, 'now'>): string {
  return `${why}-${new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-')}`
}
