/**
 * Finds out who sends a request: it verifies the credential, and counts wrong credentials per address.
 *
 * Flow: request → **requester** → authorisation
 *
 * @module
 */

import type { Audit, AuditRecord, AuditSubject } from '../audit/audit.ts'
import { networkOf } from './address.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { formatChallenges } from '../identity/challenge.ts'
import type { IdentityChain } from '../identity/chain.ts'
import type { Count } from '../identity/counters.ts'
import { readCredential, type Credential, type PresentedCredential } from '../identity/credential.ts'
import type { Identity, VerdictOptions } from '../identity/identity.ts'
import { VERDICT_LIMIT_MS, verdictUnavailable } from '../identity/unavailable.ts'
import { createBuckets, tooMany, type Rate } from '../quota/buckets.ts'
import { countEverywhere, type Elsewhere } from '../quota/elsewhere.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Standing } from './stream_rights.ts'

/** Who sends a request, as far as it has been verified. */
export interface Requester {
  /** The key for quotas per principal (an identity, or all anonymous requesters together). */
  readonly name: string
  /** Absent: an anonymous requester, who gets only what is public. */
  readonly identity: Identity | undefined
  /** Whether the sender has sent a credential that cannot be read, and so is anonymous without wanting to be. */
  readonly isUnreadable?: boolean
  /** Where the request came from. */
  readonly from: RequestOrigin
  readonly standing: Standing
  /** Verifies the same credential again. Throws as {@link Identify}. */
  readonly again: (maxAgeMs: number) => Promise<Requester>
  /** Makes the error for a missing right: 401 to an anonymous requester, who may send a credential, and 403 to any other. */
  readonly refusal: () => AvisoError
}

/** Where a request came from, for quotas per address and for the audit log. */
export interface RequestOrigin {
  /** Address of the client; absent when it is not known. */
  readonly address?: string
  /** Absent for requests that are not recorded by their id. */
  readonly requestId?: string
}

/**
 * Tells who sends a request, without reading its body. A sender without a credential, or with a malformed one, is anonymous. A wrong
 * credential is refused, even when the request needs none.
 *
 * @throws {AvisoError} `ERR_UNAUTHENTICATED` (`details.challenge`), `ERR_BAD_REQUEST`, `ERR_TOO_MANY_REQUESTS`, `ERR_VERDICT_UNAVAILABLE`.
 */
export type Identify = (request: HandlerRequest, requestId?: string) => Promise<Requester>

export interface IdentifyParts {
  readonly chain: IdentityChain
  readonly audit: Audit
  readonly clock: Clock
  readonly count: Count
  readonly addressOf: AddressOf
  /** How many wrong credentials one address may send. */
  readonly failures: Rate
  /** Other workers that count them, too; absent: there are none. */
  readonly elsewhere?: Elsewhere | undefined
}

/** The sender's address, if it is known. */
export type AddressOf = (request: HandlerRequest) => string | undefined

/** Name of a requester without an identity. */
export const ANONYMOUS = 'anonymous'
/** The text that 1.x clients show to their users. */
export const FORBIDDEN = 'User not allowed to access the resource'
/** One text for every cause, so that an attacker does not learn how close a guess was. */
const WRONG_CREDENTIAL = 'Invalid credentials or unauthorized token'
const FOR_EVER: Standing = { endsAt: undefined, validUntil: Infinity }

/** Identification by a chain of providers. */
export function createIdentify(parts: IdentifyParts): Identify {
  const { chain, audit, clock, count, addressOf } = parts
  const failures = countEverywhere(createBuckets(clock, parts.failures), 'credentials', parts.elsewhere)

  function unauthenticated(message: string, challenges = chain.challenges, invalidToken = false): AvisoError {
    const challenge = formatChallenges(challenges, invalidToken)
    return new AvisoError('ERR_UNAUTHENTICATED', message, { details: challenge === '' ? {} : { challenge } })
  }

  function anonymous(
    { kind, message }: Exclude<PresentedCredential, { kind: 'presented' }>,
    from: RequestOrigin,
  ): Requester {
    const requester: Requester = {
      name: ANONYMOUS,
      identity: undefined,
      isUnreadable: kind === 'malformed',
      from,
      standing: FOR_EVER,
      again: () => Promise.resolve(requester),
      refusal: () => unauthenticated(message),
    }
    return requester
  }

  async function verify(
    credential: Credential,
    from: RequestOrigin,
    options?: VerdictOptions,
  ): Promise<Requester> {
    const verdict = await chain.identify(credential, options)
    if (verdict.kind === 'refused') {
      const challenges = verdict.challenges?.length === 0 ? undefined : verdict.challenges
      throw unauthenticated(WRONG_CREDENTIAL, challenges, true)
    }
    const { identity, validUntil } = verdict
    const { endsAt } = identity
    const isOld = clock.monotonic() >= validUntil + VERDICT_LIMIT_MS
    // A second line of defence: even if a provider or a cache is wrong, an outdated yes grants nothing.
    if (isOld || (endsAt !== undefined && clock.now() >= endsAt)) {
      count('fail_open')
      throw verdictUnavailable('a verdict was used after its end')
    }
    return {
      name: principalName(identity),
      identity,
      from,
      standing: { endsAt, validUntil },
      again: (maxAgeMs) => verify(credential, from, { maxAgeMs }),
      refusal: () => new AvisoError('ERR_FORBIDDEN', FORBIDDEN),
    }
  }

  return async (request, requestId) => {
    const from = originOf(addressOf(request), requestId)
    const presented = readCredential(request)
    if (presented.kind !== 'presented') return anonymous(presented, from)
    const network = networkIn(from)
    // A user with a remembered verdict is let in even when wrong credentials come from the same address, e.g. behind one gateway.
    const isBlocked = network !== undefined && !failures.has(network)
    try {
      return await verify(presented.credential, from, { onlyRemembered: isBlocked })
    } catch (error) {
      if (!isAvisoError(error, 'ERR_UNAUTHENTICATED')) throw error
      const sender = { identity: undefined, from }
      if (network !== undefined && isBlocked) {
        count('credentials_limited')
        throw refuse(audit, sender, tooMany('wrong credentials', failures.retryAfterSeconds(network)))
      }
      if (network !== undefined) failures.take(network)
      throw refuse(audit, sender, error)
    }
  }
}

/** The origin of a request. */
export function originOf(address: string | undefined, requestId: string | undefined): RequestOrigin {
  return { ...(address !== undefined && { address }), ...(requestId !== undefined && { requestId }) }
}

/** The key for quotas per address; `undefined` when the address is not known. */
export function networkIn({ address }: RequestOrigin): string | undefined {
  return address === undefined ? undefined : networkOf(address)
}

/** Records a refusal in the audit log. @returns the error, for the caller to throw. */
export function refuse(
  audit: Audit,
  { identity, from }: Pick<Requester, 'identity' | 'from'>,
  error: AvisoError,
  more: Pick<AuditRecord, 'keys' | 'event'> = {},
): AvisoError {
  audit.record({ action: 'refused', who: subjectOf(identity), reason: error.code, ...from, ...more })
  return error
}

/** Different for each user: the same user name in two realms means two users. */
function principalName({ realm, username }: Identity): string {
  return JSON.stringify([realm, username])
}

/** Name of a requester for figures and logs. */
export function displayName({ identity }: Requester): string {
  return identity?.username ?? ANONYMOUS
}

/** The part of an identity that the audit log records. */
export function subjectOf(identity: Identity | undefined): AuditSubject | undefined {
  if (identity === undefined) return undefined
  const { provider, realm, username } = identity
  return { provider, realm, username }
}
