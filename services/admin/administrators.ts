/**
 * Administrators by identity and policy.
 *
 * @module
 */

import { rawPath } from '#shared/http/route.ts'
import type { AccessControl } from '#shared/access/policy/access_control.ts'
import type { AdminAuthoriser } from './authorise.ts'

/** Calls that change nothing: a poll every few seconds would fill the audit log. */
const READING_METHODS: readonly string[] = ['GET', 'HEAD']

/** An authoriser for the admin service. What is administered goes on record before it is done; of calls that only read, refusals do. */
export function createAdminAuthoriser(access: AccessControl): AdminAuthoriser {
  return {
    async authorise(request) {
      const requester = await access.identify(request)
      access.requireAdmin(requester)
      if (!READING_METHODS.includes(request.method)) {
        access.record(requester, {
          action: 'administered',
          reason: `${request.method} ${rawPath(request.url)}`,
        })
      }
      return { name: requester.identity?.username ?? 'anonymous' }
    },
  }
}
