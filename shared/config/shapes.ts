/**
 * Shapes of values that several rooms use in their settings.
 *
 * @module
 */

import * as v from 'valibot'

const LARGEST_PORT = 65_535

/** Port of another program. */
export const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LARGEST_PORT))

/** Port that the launcher listens on; 0 is any free one. */
export const listenPort = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LARGEST_PORT))

/** Name of the environment variable that holds a secret. The configuration names secrets and never holds them. */
export const secretName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Give the name of an environment variable, not the secret'),
)

/** Address of an HTTP server, to which paths are added. */
export const httpUrl = v.pipe(
  v.string(),
  v.regex(/^https?:\/\/[^\s/]+(?:\/[^\s?#]*[^\s/?#])?$/, 'Give an http address without a slash at its end'),
)

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost']

/** @returns whether a host name or address reaches only this machine */
export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host)
}
