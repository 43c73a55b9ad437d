/**
 * Access for administration: who may administer, and what the audit log records.
 *
 * @module
 */

import type { HandlerRequest } from '#shared/handler.ts'
import { rawPath } from '#shared/http/route.ts'
import type { Access } from './access.ts'
import type { Audit } from './audit/audit.ts'
import type { Policy } from './policy/policy.ts'
import { displayName, refuse, subjectOf, type Identify, type Requester } from './policy/requester.ts'

/** Everything that the administrative side works with. */
export interface AdministrationParts {
  readonly identify: Identify
  readonly policy: () => Policy
  readonly audit: Audit
}

/** Methods that change nothing. They are not recorded, because a poll every few seconds would fill the audit log. */
const READING_METHODS: readonly string[] = ['GET', 'HEAD']

/** The administrative side of access control. */
export function createAdministration({
  identify,
  policy,
  audit,
}: AdministrationParts): Access['forAdministration'] {
  return async (request) => {
    const requester = await identify(request)
    if (!policy().isAdmin(requester.identity)) throw refuse(audit, requester, requester.refusal())
    recordAdministration(audit, requester, request)
    return { name: displayName(requester) }
  }
}

/** Records a request that changes something, before it is carried out. A request that only reads is recorded only when it is refused. */
export function recordAdministration(
  audit: Audit,
  { identity, from }: Pick<Requester, 'identity' | 'from'>,
  request: HandlerRequest,
): void {
  if (READING_METHODS.includes(request.method)) return
  const reason = `${request.method} ${rawPath(request.url)}`
  audit.record({ action: 'administered', who: subjectOf(identity), ...from, reason })
}
