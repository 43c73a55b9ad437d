/**
 * The identity port: a provider takes a credential and gives a verdict about who sent it.
 *
 * Flow: request → credential → **identity** → policy
 *
 * @module
 */

import type { Credential } from './credential.ts'
import type { Challenge } from './challenge.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'

/** A user whose credential was verified. It is the same object as long as the verdict is the same. */
export interface Identity {
  /** Configured name of the provider that verified the credential. */
  readonly provider: string
  /** The name space of user names and roles: the same user name in two realms means two users. */
  readonly realm: string
  readonly username: string
  readonly roles: readonly string[]
  /** What else the provider says about the user; rules may use it. */
  readonly claims: JsonObject
  /** When the credential ends, tolerance included; milliseconds since 1970. Absent: it has no end of its own. */
  readonly endsAt?: number
}

/** A definite yes. It counts until its end only. */
export interface IdentifiedVerdict {
  readonly kind: 'identified'
  readonly identity: Identity
  /** When the provider has to be asked again, in monotonic time. */
  readonly validUntil: number
}

/** A definite no. */
export interface RefusedVerdict {
  readonly kind: 'refused'
  /** For logs and counters, never for the client: all refusals look alike to clients. */
  readonly reason: string
  /** The schemes that the provider asks for instead, if it names any. */
  readonly challenges?: readonly Challenge[]
  /** No other provider may see this credential, because it was certainly meant for this one. */
  readonly final?: boolean
}

/** What a provider says about a credential. */
export type Verdict =
  | IdentifiedVerdict
  | RefusedVerdict
  /** Not a credential for this provider. */
  | { readonly kind: 'not_mine' }

/** The verdict of a provider about a credential that is for another provider. */
export const NOT_MINE: Verdict = { kind: 'not_mine' }

/** How fresh a verdict has to be. */
export interface VerdictOptions {
  /** The oldest remembered verdict that may be used, in milliseconds. Absent: the provider's own limit. */
  readonly maxAgeMs?: number
  /** Only remembered verdicts are used: no server is asked and no signature is verified. */
  readonly onlyRemembered?: boolean
}

/** Says who sent a credential. */
export interface IdentityProvider {
  /** Configured name, part of every identity from this provider. */
  readonly name: string
  /** The schemes that a client without a credential may use. */
  readonly challenges: readonly Challenge[]
  /**
   * Gives a remembered verdict directly, not as a promise, so that the usual case costs no turn of the event loop.
   *
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when the provider cannot tell now.
   */
  identify(credential: Credential, options?: VerdictOptions): Verdict | Promise<Verdict>
}
