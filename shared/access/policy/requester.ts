/**
 * Who sends a request: its credential verified, wrong ones counted per address.
 *
 * Flow: request → **requester** → authorisation
 *
 * @module
 */

import type { Audit, AuditRecord, AuditSubject } from '../audit/audit.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import { formatChallenges } from '../identity/challenge.ts'
import type { IdentityChain } from '../identity/chain.ts'
import type { Count } from '../identity/counters.ts'
import { readCredential, type Credential } from '../identity/credential.ts'
import type { Identity, VerdictOptions } from '../identity/identity.ts'
import { VERDICT_LIMIT_MS, verdictUnavailable } from '../identity/unavailable.ts'
import { createBuckets, tooMany, type Rate } from '../quota/buckets.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Standing } from './stream_rights.ts'

/** Who sends a request, as far as it has been verified. */
export interface Requester {
  /** Key of everything that is counted per principal. */
  readonly name: string
  /** Absent: nobody in particular, who gets what is public. */
  readonly identity: Identity | undefined
  readonly standing: Standing
  /** Verifies the same credential again. Throws as {@link Identify}. */
  readonly again: (maxAgeMs: number) => Promise<Requester>
  /** What they are told where they may not: nobody in particular to show a credential, anybody else that it does not help. */
  readonly refusal: () => AvisoError
}

/**
 * Tells who sends a request, without reading its body. A missing or malformed credential makes them nobody in particular; a wrong one is
 * refused, whatever they are about to ask.
 *
 * @throws {AvisoError} `ERR_UNAUTHENTICATED` (`details.challenge`), `ERR_BAD_REQUEST`, `ERR_TOO_MANY_REQUESTS`, `ERR_VERDICT_UNAVAILABLE`.
 */
export type Identify = (request: Request) => Promise<Requester>

/** What it takes. */
export interface IdentifyParts {
  readonly chain: IdentityChain
  readonly audit: Audit
  readonly clock: Clock
  readonly count: Count
  /** Address of the sender, where it can be known. */
  readonly addressOf: (request: Request) => string | undefined
  /** Wrong credentials from one address. */
  readonly failures: Rate
}

/** Name of a requester without an identity. */
export const ANONYMOUS = 'anonymous'
/** The text 1.x clients show to their users. */
export const FORBIDDEN = 'User not allowed to access the resource'
/** One text for every cause, so that nobody learns how close a guess was. */
const WRONG_CREDENTIAL = 'Invalid credentials or unauthorized token'
const FOR_EVER: Standing = { endsAt: undefined, validUntil: Infinity }

/** Identification by a chain of providers. */
export function createIdentify(parts: IdentifyParts): Identify {
  const { chain, audit, clock, count, addressOf } = parts
  const failures = createBuckets(clock, parts.failures)

  function unauthenticated(message: string, challenges = chain.challenges, invalidToken = false): AvisoError {
    const challenge = formatChallenges(challenges, invalidToken)
    return new AvisoError('ERR_UNAUTHENTICATED', message, { details: challenge === '' ? {} : { challenge } })
  }

  function nobody(message: string): Requester {
    const requester: Requester = {
      name: ANONYMOUS,
      identity: undefined,
      standing: FOR_EVER,
      again: () => Promise.resolve(requester),
      refusal: () => unauthenticated(message),
    }
    return requester
  }

  async function verify(credential: Credential, options?: VerdictOptions): Promise<Requester> {
    const verdict = await chain.identify(credential, options)
    if (verdict.kind === 'refused') {
      const challenges = verdict.challenges?.length === 0 ? undefined : verdict.challenges
      throw unauthenticated(WRONG_CREDENTIAL, challenges, true)
    }
    const { identity, validUntil } = verdict
    const { endsAt } = identity
    const now = clock.now()
    // The second line of defence: whatever a provider or a cache does wrong, an old yes opens nothing.
    if (now >= validUntil + VERDICT_LIMIT_MS || (endsAt !== undefined && now >= endsAt)) {
      count('fail_open')
      throw verdictUnavailable('a verdict outlived itself')
    }
    return {
      name: principalName(identity),
      identity,
      standing: { endsAt, validUntil },
      again: (maxAgeMs) => verify(credential, { maxAgeMs }),
      refusal: () => new AvisoError('ERR_FORBIDDEN', FORBIDDEN),
    }
  }

  return async (request) => {
    const presented = readCredential(request)
    if (presented.kind !== 'presented') return nobody(presented.message)
    const address = addressOf(request)
    // Somebody known is let in also from where wrong credentials come, e.g. from behind the same gateway.
    const isBlocked = address !== undefined && !failures.has(address)
    try {
      return await verify(presented.credential, { onlyRemembered: isBlocked })
    } catch (error) {
      if (!isAvisoError(error, 'ERR_UNAUTHENTICATED')) throw error
      if (address !== undefined && isBlocked) {
        count('credentials_limited')
        throw refuse(audit, undefined, tooMany('wrong credentials', failures.retryAfterSeconds(address)))
      }
      if (address !== undefined) failures.take(address)
      throw refuse(audit, undefined, error)
    }
  }
}

/** Puts a refusal on record. @returns The refusal, to be thrown. */
export function refuse(
  audit: Audit,
  identity: Identity | undefined,
  error: AvisoError,
  more: Pick<AuditRecord, 'keys' | 'event'> = {},
): AvisoError {
  audit.record({ action: 'refused', who: subjectOf(identity), reason: error.code, ...more })
  return error
}

/** Injective, as the same user name in two realms is two people. */
function principalName({ realm, username }: Identity): string {
  return JSON.stringify([realm, username])
}

/** Name of a requester for figures and logs. */
export function displayName({ identity }: Requester): string {
  return identity?.username ?? ANONYMOUS
}

/** The part of an identity that goes on record. */
export function subjectOf(identity: Identity | undefined): AuditSubject | undefined {
  if (identity === undefined) return undefined
  const { provider, realm, username } = identity
  return { provider, realm, username }
}
