/**
 * Calls etcd: chooses the member, the number of attempts, and the time limit.
 *
 * Flow: ingest → store → **call** → etcd
 *
 * A write that was sent is never sent again. If its outcome is unknown, the caller learns that. Everything else goes to the next
 * member until the time is up.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import { createEndpoints, type Endpoint, type Endpoints } from './endpoints.ts'
import { closedError, givenUp, isSilent, outcomeUnknown, type Verdict } from './errors.ts'
import type { GatewayAuth } from './login.ts'
import { createMembers, type Members, type Question } from './members.ts'
import type { Outcome, Transport } from './transport.ts'
import type { WireObject } from './wire.ts'

/**
 * No attempt begins after this time, except at members that were not asked yet. So a client learns within about 5 s that there is no
 * leader.
 */
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
    const waitMs = endpoint.restsUntil - clock.monotonic()
    if (waitMs <= 0) return
    await clock.sleep(
      waitMs,
      signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
    )
    begin(signal)
  }
  /** Tries once more with another token, where that is what is missing, and lets a member rest that failed. */
  const attemptAt = async <Value>(
    endpoint: Endpoint,
    attempt: Attempt<Value>,
    signal: AbortSignal | undefined,
  ): Promise<Outcome<Value>> => {
    const used = members.token()
    let outcome = await attempt(endpoint)
    if (outcome.kind === 'login' && auth !== undefined) {
      const renewal = await members.renewToken(endpoint, used)
      outcome = renewal.kind === 'done' ? await attempt(endpoint) : renewal
    }
    if (outcome.kind === 'done') endpoints.worked(endpoint)
    // The caller gave up, which says nothing about the member.
    const gaveUp = closing.signal.aborted || signal?.aborted === true
    if (outcome.kind !== 'done' && !isFinal(outcome) && !gaveUp) endpoints.failed(endpoint, isSilent(outcome))
    return outcome
  }
  /** A member that belongs to our cluster: this one, or the first that says so. */
  const findVerified = async (picked: Endpoint): Promise<Outcome<Endpoint>> => {
    if (picked.verified) return { kind: 'done', value: picked }
    const candidates = [picked, ...endpoints.others(picked)]
    const { promise, resolve } = Promise.withResolvers<Outcome<Endpoint>>()
    let left = candidates.length
    for (const candidate of candidates) {
      void attemptAt(candidate, members.verify, undefined).then((outcome) => {
        if (outcome.kind === 'done') resolve({ kind: 'done', value: candidate })
        else if (--left === 0) resolve(outcome)
      })
    }
    return promise
  }
  const loop = async <Value>(
    attempt: Attempt<Value>,
    { writes, signal }: { readonly writes: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<Value> => {
    const deadline = clock.monotonic() + RETRY_BUDGET_MS
    for (let attempts = 1; ; attempts++) {
      begin(signal)
      const picked = endpoints.pick()
      await rest(picked, signal)
      const found: Outcome<Endpoint> = writes ? await findVerified(picked) : { kind: 'done', value: picked }
      begin(signal)
      const outcome = found.kind === 'done' ? await attemptAt(found.value, attempt, signal) : found
      if (outcome.kind === 'done') return outcome.value
      if (isFinal(outcome)) throw outcome.error
      if (outcome.kind === 'unknown' && writes) throw outcomeUnknown(outcome.error)
      begin(signal)
      if (clock.monotonic() >= deadline && attempts >= urls.length) throw outcome.error
    }
  }
  return {
    call: ({ writes, ...question }) =>
      loop((endpoint) => members.ask(endpoint, question), { writes, signal: question.signal }),
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
