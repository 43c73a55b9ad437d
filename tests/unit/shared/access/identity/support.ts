/**
 * What the tests of identity and policy share: counters that are read, and a `fetch` that answers by table.
 *
 * @module
 */

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import { parseCredential, type Credential } from '#shared/access/identity/credential.ts'
import type { DependencyParts, FetchGet } from '#shared/access/identity/dependency.ts'
import { createLogger, type Logger } from '#shared/logger.ts'
import { systemClock } from '#shared/time/clock.ts'

/** A logger whose lines a test reads. */
export function createTestLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    logger: createLogger(
      (line) => lines.push(line),
      () => Date.now(),
      'debug',
    ),
  }
}

/** Parts of a dependency over real sockets, on the real clock. */
export function realParts(): DependencyParts & { readonly counters: Counters; readonly lines: string[] } {
  const { logger, lines } = createTestLog()
  const counters = createCounters()
  return { fetch: realFetch, clock: systemClock, logger, count: counters.count, counters, lines }
}

export const realFetch: FetchGet = (url, init) => fetch(url, init)

/** A credential as a client would send it. */
export function credentialOf(authorization: string, authType: string | null = null): Credential {
  const presented = parseCredential(authorization, authType)
  if (presented.kind !== 'presented') throw new Error(`not a credential: ${presented.message}`)
  return presented.credential
}

/** A promise and its ends. */
export function deferred<Value>(): PromiseWithResolvers<Value> {
  return Promise.withResolvers<Value>()
}
