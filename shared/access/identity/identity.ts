/**
 * The identity port: from a credential to a verdict about who sent it.
 *
 * Flow: request → credential → **identity** → policy
 *
 * @module
 */

import type { Credential } from './credential.ts'
import type { Challenge } from './challenge.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'

/** Somebody whose credential was verified. The same object as long as the verdict is the same. */
export interface Identity {
  /** Configured name of the provider that vouches for them. */
  readonly provider: string
  /** The same user name in two realms is two people. */
  readonly realm: string
  readonly username: string
  readonly roles: readonly string[]
  /** What else the provider says; rules may look at it. */
  readonly claims: JsonObject
  /** When the credential itself ends, tolerance included; milliseconds since the epoch. Absent: it has no end of its own. */
  readonly endsAt?: number
}

/** A definite yes, with its end: an old yes is none. */
export interface IdentifiedVerdict {
  readonly kind: 'identified'
  readonly identity: Identity
  /** From when on the provider has to be asked again; milliseconds since the epoch. */
  readonly validUntil: number
}

/** A definite no. */
export interface RefusedVerdict {
  readonly kind: 'refused'
  /** For logs and counters, never for the client: all refusals look alike from outside. */
  readonly reason: string
  /** What the provider asks for instead, where it says. */
  readonly challenges?: readonly Challenge[]
  /** No other provider is to see this credential: it was certainly meant for this one. */
  readonly final?: boolean
}

/** What a provider says of a credential. */
export type Verdict =
  | IdentifiedVerdict
  | RefusedVerdict
  /** Not a credential for this provider. */
  | { readonly kind: 'not_mine' }

/** Said by every provider to which a credential does not belong. */
export const NOT_MINE: Verdict = { kind: 'not_mine' }

/** How fresh a verdict has to be. */
export interface VerdictOptions {
  /** A remembered verdict must not be older, in milliseconds. Absent: as old as the provider lets it become. */
  readonly maxAgeMs?: number
  /** Nothing is asked or calculated: what is not remembered is not known. */
  readonly onlyRemembered?: boolean
}

/** Somebody who can tell who sent a credential. */
export interface IdentityProvider {
  /** Configured name, part of every identity it vouches for. */
  readonly name: string
  /** What a client without a credential is told to send. */
  readonly challenges: readonly Challenge[]
  /**
   * Answers at once, not by a promise, from what it remembers: the usual case costs no turn of the event loop.
   *
   * @throws {AvisoError} `ERR_VERDICT_UNAVAILABLE` when it cannot tell now.
   */
  identify(credential: Credential, options?: VerdictOptions): Verdict | Promise<Verdict>
}
