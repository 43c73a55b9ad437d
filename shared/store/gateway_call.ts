/**
 * Calls of the etcd gateway: at which member, how often, until when.
 *
 * Flow: ingest → store → **call** → etcd
 *
 * A write that was sent is never sent again: where its outcome is unknown, the caller is told so. Everything else goes to the next
 * member until the time is up.
 *
 * @module
 */

import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import { createEndpoints, type Endpoint, type Endpoints } from './gateway_endpoints.ts'
import { closedError, givenUp, outcomeUnknown, type Verdict } from './gateway_errors.ts'
import type { GatewayAuth } from './gateway_login.ts'
import { createMembers, type Members, type Question } from './gateway_members.ts'
import type { Outcome, Transport } from './gateway_transport.ts'
import type { WireObject } from './gateway_wire.ts'

/** No attempt begins after this, save at members that were not asked: that there is no leader is told to a client within some 5 s. */
const RETRY_BUDGET_MS = 3_000

/** A call that ends. Its limit is for one attempt. */
export interface GatewayCall extends Question {
  /** Whether doing it twice, or late, would differ from doing it once. */
  readonly writes: boolean
}

/** One attempt at one member. */
export type Attempt<Value> = (endpoint: Endpoint) => Promise<Outcome<Value>>

/** Calls the members. */
export interface Caller {
  /** @returns The answer. @throws {AvisoError} As `Store` says. */
  call(call: GatewayCall): Promise<WireObject>
  /** Runs an attempt that writes nothing, at one member after the other, until one succeeds. @throws {AvisoError} */
  attempt<Value>(attempt: Attempt<Value>, signal: AbortSignal | undefined): Promise<Value>
  readonly members: Members
  readonly endpoints: Endpoints
  /** Aborts when the store is closed. */
  readonly closing: AbortSignal
  close(): void
}

/** What calls are made with. */
export interface CallerParts {
  readonly endpoints: readonly string[]
  readonly transport: Transport
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly auth?: GatewayAuth | undefined
}

export function createCaller(parts: CallerParts): Caller {
  const { endpoints: urls, transport, clock, random, logger, auth } = parts
  const closing = new AbortController()
  const endpoints = createEndpoints({ urls, clock, random, logger })
  const members = createMembers({ endpoints, transport, clock, logger, auth, closing: closing.signal })

  /** @throws {AvisoError} When the store is closed or the caller has given up, and nothing was done. */
  const begin = (signal: AbortSignal | undefined): void => {
    if (closing.signal.aborted) throw closedError()
    if (signal?.aborted === true) throw givenUp()
  }
  const rest = async (endpoint: Endpoint, signal: AbortSignal | undefined): Promise<void> => {
    const waitMs = endpoint.restsUntil - clock.now()
    if (waitMs <= 0) return
    await clock.sleep(
      waitMs,
      signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
    )
    begin(signal)
  }
  /** Tries once more with another token, where that is what is missing. */
  const withToken = async <Value>(endpoint: Endpoint, attempt: Attempt<Value>): Promise<Outcome<Value>> => {
    const used = members.token()
    const outcome = await attempt(endpoint)
    if (outcome.kind !== 'login' || auth === undefined) return outcome
    const renewal = await members.renewToken(endpoint, used)
    return renewal.kind === 'done' ? attempt(endpoint) : renewal
  }
  const loop = async <Value>(
    attempt: Attempt<Value>,
    { writes, signal }: { readonly writes: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<Value> => {
    const deadline = clock.now() + RETRY_BUDGET_MS
    for (let attempts = 1; ; attempts++) {
      begin(signal)
      const endpoint = endpoints.pick()
      await rest(endpoint, signal)
      const outcome = await withToken(endpoint, attempt)
      if (outcome.kind === 'done') {
        endpoints.worked(endpoint)
        return outcome.value
      }
      if (isFinal(outcome)) throw outcome.error
      // A caller that gave up says nothing about the member.
      if (!closing.signal.aborted && signal?.aborted !== true) endpoints.failed(endpoint)
      if (outcome.kind === 'unknown' && writes) throw outcomeUnknown(outcome.error)
      begin(signal)
      if (clock.now() >= deadline && attempts >= urls.length) throw outcome.error
    }
  }
  return {
    call: ({ writes, ...question }) => {
      const attempt: Attempt<WireObject> = async (endpoint) => {
        const verified = writes ? await members.verify(endpoint) : undefined
        if (verified !== undefined && verified.kind !== 'done') return verified
        begin(question.signal)
        return members.ask(endpoint, question)
      }
      return loop(attempt, { writes, signal: question.signal })
    },
    attempt: (attempt, signal) => loop(attempt, { writes: false, signal }),
    members,
    endpoints,
    closing: closing.signal,
    close: () => closing.abort(),
  }
}

function isFinal({ kind }: Verdict): boolean {
  return kind === 'refused' || kind === 'login'
}
