/**
 * Calls of the etcd gateway: which member, how long, how often, with which token.
 *
 * Flow: ingest → store → **call** → etcd
 *
 * A write that was sent is never sent again: where its outcome is unknown, the caller is told so. Everything else goes to the next
 * member until the time is up.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/telemetry/clock.ts'
import type { Logger } from '#shared/telemetry/logger.ts'
import type { FetchLike } from './fetch_like.ts'
import { createEndpoints, type Endpoint } from './gateway_endpoints.ts'
import { closedError, givenUp, outcomeUnknown, type Verdict } from './gateway_errors.ts'
import { exchange, type Outcome } from './gateway_exchange.ts'
import { createLogin, type GatewayAuth } from './gateway_login.ts'
import { decodeClusterId, type WireObject } from './gateway_wire.ts'

/** No further attempt begins after this: a store without a leader is told to the client within some 5 s. */
const RETRY_BUDGET_MS = 3_000
/** For the question which cluster a member belongs to, and for logging in. */
const SHORT_LIMIT_MS = 2_000

/** The one path whose answer a member gives without asking the others. */
export const STATUS_PATH = '/v3/maintenance/status'

/** A call that ends. */
export interface GatewayCall {
  /** e.g. `/v3/kv/range` */
  readonly path: string
  readonly body: string
  /** Whether doing it twice, or late, would differ from doing it once. */
  readonly writes: boolean
  /** For one attempt. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
}

/** One attempt at one member, with its token. It throws only what ends the call. */
export type Attempt<Value> = (endpoint: Endpoint, token: string | undefined) => Promise<Outcome<Value>>

/** Calls the members. */
export interface Caller {
  /** @returns The answer. @throws {AvisoError} As {@link Store} says. */
  call(call: GatewayCall): Promise<WireObject>
  /** Runs an attempt that writes nothing, at one member after the other, until one succeeds. @throws {AvisoError} */
  attempt<Value>(attempt: Attempt<Value>, signal: AbortSignal | undefined): Promise<Value>
  /** One read at one member. Never throws. */
  ask(endpoint: Endpoint, call: Omit<GatewayCall, 'writes'>): Promise<Outcome<WireObject>>
  /** A stream from that member broke. */
  failed(endpoint: Endpoint): void
  /** Compares the cluster of a message of a stream. @throws {AvisoError} `ERR_STORE_PROTOCOL` */
  checkCluster(endpoint: Endpoint, message: WireObject): void
  /** Aborts when the store is closed. */
  readonly closing: AbortSignal
  close(): void
}

/** What calls are made with. */
export interface CallerParts {
  readonly endpoints: readonly string[]
  readonly fetch: FetchLike
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly auth?: GatewayAuth | undefined
}

/** Limits and signal of a loop of attempts. */
interface Loop {
  readonly writes: boolean
  readonly signal: AbortSignal | undefined
}

export function createCaller(parts: CallerParts): Caller {
  const { fetch, clock, random, logger } = parts
  const endpoints = createEndpoints({ urls: parts.endpoints, clock, random, logger })
  const login = createLogin({ auth: parts.auth, clock, logger })
  const closing = new AbortController()
  const verifications = new Map<Endpoint, Promise<Outcome<WireObject>>>()

  const ask = async (
    endpoint: Endpoint,
    { path, body, limitMs, signal }: Omit<GatewayCall, 'writes'>,
    token = login.token(),
  ): Promise<Outcome<WireObject>> => {
    const url = `${endpoint.url}${path}`
    const outcome = await exchange(fetch, clock, {
      url,
      body,
      token,
      limitMs,
      signals: [signal, closing.signal],
    })
    if (outcome.kind !== 'done') return outcome
    try {
      endpoints.checkCluster(endpoint, decodeClusterId(outcome.value))
      if (path !== STATUS_PATH) endpoint.aliveAt = clock.now()
      return outcome
    } catch (error) {
      return { kind: 'not_done', error: error as AvisoError }
    }
  }
  /** Nothing is written before the member has said which cluster it belongs to, since another one would do the write, too. */
  const verify = (endpoint: Endpoint): Promise<Outcome<WireObject>> => {
    const running = verifications.get(endpoint)
    if (running !== undefined) return running
    const asking = ask(endpoint, { path: STATUS_PATH, body: '{}', limitMs: SHORT_LIMIT_MS })
    const verification = asking.finally(() => verifications.delete(endpoint))
    verifications.set(endpoint, verification)
    return verification
  }
  const renewToken = (endpoint: Endpoint, used: string | undefined): Promise<Outcome<void>> =>
    login.renew(used, (body) =>
      exchange(fetch, clock, {
        url: `${endpoint.url}/v3/auth/authenticate`,
        body,
        token: undefined,
        limitMs: SHORT_LIMIT_MS,
        signals: [closing.signal],
      }),
    )
  /** @throws {AvisoError} When the store is closed or the caller has given up, and nothing was done. */
  const begin = (signal: AbortSignal | undefined): void => {
    if (closing.signal.aborted) throw closedError()
    if (signal?.aborted === true) throw givenUp()
  }
  const rest = async (endpoint: Endpoint, { signal }: Loop): Promise<void> => {
    const waitMs = endpoint.restsUntil - clock.now()
    if (waitMs <= 0) return
    const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
    await clock.sleep(waitMs, stop)
    begin(signal)
  }
  const loop = async <Value>(attempt: Attempt<Value>, options: Loop): Promise<Value> => {
    const deadline = clock.now() + RETRY_BUDGET_MS
    let renewed = false
    for (;;) {
      begin(options.signal)
      const endpoint = endpoints.pick()
      await rest(endpoint, options)
      const token = login.token()
      const outcome = await attempt(endpoint, token)
      if (outcome.kind === 'done') {
        endpoints.worked(endpoint)
        return outcome.value
      }
      let failure: Verdict = outcome
      if (failure.kind === 'login' && parts.auth !== undefined && !renewed) {
        renewed = true
        const renewal = await renewToken(endpoint, token)
        if (renewal.kind === 'done') continue
        failure = renewal
      }
      if (failure.kind === 'refused' || failure.kind === 'login') throw failure.error
      // A caller that gave up says nothing about the member.
      const gaveUp = closing.signal.aborted || options.signal?.aborted === true
      if (!gaveUp) endpoints.failed(endpoint)
      if (failure.kind === 'unknown' && options.writes) throw outcomeUnknown(failure.error)
      begin(options.signal)
      if (clock.now() >= deadline) throw failure.error
    }
  }
  return {
    call: ({ writes, ...call }) =>
      loop(
        async (endpoint, token) => {
          if (writes && !endpoint.verified) {
            const verified = await verify(endpoint)
            if (verified.kind !== 'done') return withoutEffect(verified)
            begin(call.signal)
          }
          return ask(endpoint, call, token)
        },
        { writes, signal: call.signal },
      ),
    attempt: (attempt, signal) => loop(attempt, { writes: false, signal }),
    ask,
    failed: endpoints.failed,
    checkCluster: (endpoint, message) => endpoints.checkCluster(endpoint, decodeClusterId(message)),
    closing: closing.signal,
    close: () => closing.abort(),
  }
}

/** A failure before the write was sent. */
function withoutEffect(outcome: Exclude<Outcome<WireObject>, { kind: 'done' }>): Outcome<never> {
  return outcome.kind === 'unknown' ? { kind: 'not_done', error: outcome.error } : outcome
}
