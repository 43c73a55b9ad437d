/**
 * What the tests of identity and policy share: counters that are read, and a `fetch` that answers by table.
 *
 * @module
 */

import { createCounters, type Counters } from '#shared/access/identity/counters.ts'
import { parseCredential, type Credential } from '#shared/access/identity/credential.ts'
import type { DependencyParts, FetchGet } from '#shared/access/identity/dependency.ts'
import { createLogger, type Logger } from '#shared/logger.ts'
import type { Misbehaviour, RawServer } from '../../../../support/auth_servers_socket.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'
import { eventually, within } from '../../../../support/waiting.ts'

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

/** What a dependency is asked with in tests. */
export interface RealParts extends DependencyParts {
  readonly clock: ManualClock
  readonly counters: Counters
  readonly lines: string[]
}

/** Parts of a dependency over real sockets, on a clock that stands still now. */
export function realParts(): RealParts {
  const { logger, lines } = createTestLog()
  const counters = createCounters()
  const clock = createManualClock(Date.now())
  return { fetch: realFetch, clock, logger, count: counters.count, counters, lines }
}

/** Misbehaviours that never end by themselves. */
const ENDLESS: ReadonlySet<Misbehaviour> = new Set(['hang', 'slow'])

/**
 * Has a server misbehave while it is asked something. Time passes only where nothing but the limit can end it.
 *
 * @param ask Asks, and asserts what comes of it.
 */
export async function whileMisbehaving(
  server: RawServer,
  {
    how,
    clock,
    limitMs,
  }: { readonly how: Misbehaviour; readonly clock: ManualClock; readonly limitMs: number },
  ask: () => Promise<void>,
): Promise<void> {
  await server.misbehave(how)
  const before = server.seen.length
  const asking = ask()
  if (ENDLESS.has(how)) {
    await eventually(`a server that misbehaves is asked: ${how}`, () => server.seen.length > before)
    await clock.advance(limitMs)
  }
  await within(`a verdict on a server that misbehaves: ${how}`, asking)
  await server.misbehave(undefined)
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
