/**
 * Access control: it verifies identities, applies the policy and the quotas, and writes the audit log.
 *
 * @module
 */

import type { Access } from './access.ts'
import { createAdministration } from './administration.ts'
import type { Audit } from './audit/audit.ts'
import type { Count } from './identity/counters.ts'
import { createListening } from './listening.ts'
import type { Policy } from './policy/policy.ts'
import type { Identify } from './policy/requester.ts'
import type { StreamRights } from './policy/stream_rights.ts'
import { createPublishing } from './publishing.ts'
import type { QuotaLimits, Quotas } from './quota/quotas.ts'

/** Everything that access control works with. */
export interface AccessControlParts {
  readonly identify: Identify
  /** A function, so that changed rules also reach open streams. */
  readonly policy: () => Policy
  readonly audit: Audit
  /** Checks the rights of open streams again. */
  readonly rights: StreamRights
  readonly quota: QuotaLimits
  /** Where they are counted. */
  readonly quotas: Quotas
  readonly count: Count
}

/** Access by identity and policy. */
export function createAccessControl(parts: AccessControlParts): Access {
  const { listening, publishing } = parts.quota
  return {
    forListening: createListening({ ...parts, quota: listening }),
    forPublishing: createPublishing({ ...parts, quota: publishing }),
    forAdministration: createAdministration(parts),
  }
}
