/**
 * Asks one member of the cluster: adds the token it needs, and checks the cluster it belongs to.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'
import { createLogin, type GatewayAuth } from './login.ts'
import type { Outcome, Transport } from './transport.ts'
import { decodeClusterId, type WireObject } from './wire.ts'

/** Time limit of the question which cluster a member belongs to. A member knows that without asking others. */
export const STATUS_LIMIT_MS = 1_000
/** For logging in: checking a password takes some 100 ms of processor time. */
const LOGIN_LIMIT_MS = 2_000

/** The one path whose answer a member gives without asking the others. */
export const STATUS_PATH = '/v3/maintenance/status'

/** A question. */
export interface Question {
  /** e.g. `/v3/kv/range` */
  readonly path: string
  /** See {@link Exchange.message}. */
  readonly message: object
  readonly limitMs: number
  /** Longest wait for a member that shows at each `limitMs` that it works. Absent: `limitMs`. */
  readonly longestMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Asks members. */
export interface Members {
  /** Never throws. */
  ask(endpoint: Endpoint, question: Question): Promise<Outcome<WireObject>>
  /**
   * Makes sure that a member belongs to our cluster. Nothing is written before, because a member of another cluster would accept the
   * write. Never
   * throws.
   */
  verify(endpoint: Endpoint): Promise<Outcome<void>>
  /** The token that is sent now. */
  token(): string | undefined
  /** Gets another token than `used`. Never throws. */
  renewToken(endpoint: Endpoint, used: string | undefined): Promise<Outcome<void>>
}

/** Dependencies of the questions. */
export interface MembersParts {
  readonly endpoints: Endpoints
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  readonly auth: GatewayAuth | undefined
  /** Aborts all questions. */
  readonly closing: AbortSignal
}

/** Prepares to ask. */
export function createMembers({ endpoints, transport, clock, logger, auth, closing }: MembersParts): Members {
  const login = createLogin({ auth, clock, logger })
  const verifications = new Map<Endpoint, Promise<Outcome<void>>>()

  const ask: Members['ask'] = async (endpoint, { path, message, limitMs, longestMs, signal }) => {
    const outcome = await transport.ask({
      endpoint: endpoint.url,
      path,
      message,
      token: login.token(),
      limitMs,
      patience: longestMs === undefined ? undefined : { longestMs, isWorking: () => isWorking(endpoint) },
      signals: [signal, closing],
    })
    if (outcome.kind !== 'done') return outcome
    try {
      endpoints.checkCluster(endpoint, decodeClusterId(outcome.value))
      if (path !== STATUS_PATH) endpoint.aliveAt = clock.monotonic()
      return outcome
    } catch (error) {
      // Another cluster may have carried it out. Ours did not.
      return { kind: 'not_done', error: error as AvisoError }
    }
  }
  /** A member without a leader refuses to say its status. */
  const isWorking = async (endpoint: Endpoint): Promise<boolean> => {
    const { kind } = await ask(endpoint, { path: STATUS_PATH, message: {}, limitMs: STATUS_LIMIT_MS })
    return kind === 'done'
  }
  const verifyNow = async (endpoint: Endpoint): Promise<Outcome<void>> => {
    const outcome = await ask(endpoint, { path: STATUS_PATH, message: {}, limitMs: STATUS_LIMIT_MS })
    if (outcome.kind === 'done') return { kind: 'done', value: undefined }
    return outcome.kind === 'unknown' ? { ...outcome, kind: 'not_done' } : outcome
  }
  return {
    ask,
    verify: async (endpoint) => {
      if (endpoint.verified) return { kind: 'done', value: undefined }
      const verification = verifications.get(endpoint) ?? verifyNow(endpoint)
      verifications.set(endpoint, verification)
      return verification.finally(() => verifications.delete(endpoint))
    },
    token: () => login.token(),
    renewToken: (endpoint, used) =>
      login.renew(used, (message) =>
        transport.ask({
          endpoint: endpoint.url,
          path: '/v3/auth/authenticate',
          message,
          token: undefined,
          limitMs: LOGIN_LIMIT_MS,
          signals: [closing],
        }),
      ),
  }
}
