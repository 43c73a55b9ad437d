/**
 * Exchanges etcd's user and password for a token. A token ends some minutes after its last use, or when users or roles change.
 *
 * @module
 */

import type { AvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Secret } from '#shared/secret.ts'
import type { Outcome } from './transport.ts'
import type { WireObject } from './wire.ts'

/** A refused password is not tried again for this long: each try costs etcd some 100 ms of processor time. */
const REFUSED_PAUSE_MS = 5_000

/** User and password. */
export interface GatewayAuth {
  readonly name: string
  /** Looked up at each login, because it may be replaced. */
  readonly password: Secret
}

/** Keeps the token. */
export interface Login {
  /** The token to send; `undefined` without a user, and before the first {@link renew}. */
  token(): string | undefined
  /**
   * Gets a token, unless a newer one than `used` is there already. Callers that wait share one request.
   *
   * @param send Sends a login to a member and gives its answer.
   */
  renew(
    used: string | undefined,
    send: (message: object) => Promise<Outcome<WireObject>>,
  ): Promise<Outcome<void>>
}

/** What a login is made with. */
export interface LoginParts {
  readonly auth: GatewayAuth | undefined
  readonly clock: Clock
  readonly logger: Logger
}

/** Keeps a token of a user, where one is given. */
export function createLogin({ auth, clock, logger }: LoginParts): Login {
  let token: string | undefined
  let running: Promise<Outcome<void>> | undefined
  let refused: { readonly error: AvisoError; readonly until: number } | undefined

  const ask = async (send: (message: object) => Promise<Outcome<WireObject>>): Promise<Outcome<void>> => {
    const outcome = await send(
      auth === undefined ? {} : { name: auth.name, password: auth.password.reveal() },
    )
    if (outcome.kind !== 'done') {
      // A login changes nothing in the store, so it may be tried again after any failure.
      if (outcome.kind === 'unknown') return { ...outcome, kind: 'not_done' }
      if (outcome.kind === 'not_done') return outcome
      if (outcome.error.code === 'ERR_CONFIG') {
        // Users were switched off, and with them the token.
        token = undefined
        return { kind: 'done', value: undefined }
      }
      logger('error', 'The store refuses its configured user', { code: outcome.error.code })
      refused = { error: outcome.error, until: clock.monotonic() + REFUSED_PAUSE_MS }
      return { kind: 'refused', error: outcome.error }
    }
    const answer = outcome.value['token']
    token = typeof answer === 'string' && answer !== '' ? answer : undefined
    return { kind: 'done', value: undefined }
  }
  return {
    token: () => token,
    renew: async (used, send) => {
      if (token !== used) return { kind: 'done', value: undefined }
      if (refused !== undefined && clock.monotonic() < refused.until)
        return { kind: 'refused', error: refused.error }
      running ??= ask(send).finally(() => (running = undefined))
      return running
    },
  }
}
