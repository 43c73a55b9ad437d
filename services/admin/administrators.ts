/**
 * Administrators by identity and policy.
 *
 * @module
 */

import { rawPath } from '#shared/http/route.ts'
import type { AccessControl } from '#shared/policy/access_control.ts'
import type { AdminAuthoriser } from './authorise.ts'

/** An authoriser for the admin service. What is administered goes on record before it is done. */
export function createAdminAuthoriser(access: AccessControl): AdminAuthoriser {
  return {
    async authorise(request) {
      const requester = await access.identify(request)
      access.requireAdmin(requester)
      access.record(requester, {
        action: 'administered',
        reason: `${request.method} ${rawPath(request.url)}`,
      })
      return { name: requester.identity?.username ?? 'anonymous' }
    },
  }
}
