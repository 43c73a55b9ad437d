/**
 * Requesters, policies and an audit log for tests of access.
 *
 * @module
 */

import type { ListeningQuota, PublishingQuota } from '#shared/access/quota/quotas.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { silentAudit, type Audit, type AuditRecord } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Identity } from '#shared/access/identity/identity.ts'
import { createPolicy, type Policy, type PolicyRules } from '#shared/access/policy/policy.ts'
import { originOf, type RequestOrigin, type Requester } from '#shared/access/policy/requester.ts'
import { createManualClock } from '../../../support/clock.ts'

/** An identity of realm `r`. */
export function identityOf(username: string, roles: readonly string[] = []): Identity {
  return { provider: 'p', realm: 'r', username, roles, claims: {} }
}

/** A requester whose verdict never changes. @param identity Absent: an anonymous one. */
export function requesterOf(
  identity: Identity | undefined,
  validUntil = Infinity,
  from: RequestOrigin = {},
): Requester {
  const requester: Requester = {
    name: identity?.username ?? 'anonymous',
    identity,
    from,
    standing: { endsAt: undefined, validUntil },
    again: () => Promise.resolve(requester),
    refusal: () => new AvisoError(identity === undefined ? 'ERR_UNAUTHENTICATED' : 'ERR_FORBIDDEN', 'No'),
  }
  return requester
}

/** Identifies by the header `x-user`; without it the requester is anonymous. The header `x-from` has its address. */
export function identifyByHeader(request: HandlerRequest, requestId?: string): Promise<Requester> {
  const username = request.headers.get('x-user')
  const from = originOf(request.headers.get('x-from') ?? undefined, requestId)
  const identity = username === null ? undefined : identityOf(username)
  return Promise.resolve(requesterOf(identity, Infinity, from))
}

/** A policy over the event types `mars` and `flight`. */
export function policyOf(rules: PolicyRules['rules'], publish: string[] = []): Policy {
  return createPolicy({
    rules: { public: { listen: [], publish }, open: [], rules },
    roots: new Map([
      ['mars', '/ec/mars/'],
      ['flight', '/flight/'],
    ]),
    clock: createManualClock(),
    count: () => undefined,
  })
}

/** An audit log in memory. */
export interface MemoryAudit extends Audit {
  readonly records: AuditRecord[]
}

export function createMemoryAudit(): MemoryAudit {
  const records: AuditRecord[] = []
  return { ...silentAudit, hasPublished: true, records, record: (record) => void records.push(record) }
}

const ONE_A_SECOND = { perSecond: 1, burst: 1 }
const ONE_OF_ALL = { streams: 1, opens: ONE_A_SECOND, reads: ONE_A_SECOND }

/** Limits of listening, for tests that only publish. */
export const NO_LISTENING: ListeningQuota = {
  perIdentity: ONE_OF_ALL,
  perAddress: ONE_OF_ALL,
  streams: 1,
  reserves: { identities: 0, relays: 0 },
}

/** Limits of publishing, for tests that only listen. */
export const NO_PUBLISHING: PublishingQuota = { perIdentity: ONE_A_SECOND, perAddress: ONE_A_SECOND }
