/**
 * `GET /api/v1/admin/access`: what a user may do, and by which part of the configuration, asked of the policy that counts now.
 *
 * @module
 */

import { refuse, take } from '#services/auth/history/request.ts'
import { rightsBody } from '#services/auth/history/rights_body.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { refuseForeignPages } from '#shared/http/foreign_pages.ts'
import { readQuery } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import type { SystemAccess, UserRights } from './access.ts'
import type { NamedUser } from './assumed_identity.ts'

/** The route. */
export function createAccessRoutes(
  access: Pick<SystemAccess, 'forAdministration' | 'explainUser'>,
): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/admin/access',
      doc: 'access',
      generation: 2,
      offers: OFFERS_JSON,
      handle: async (request, { requestId }) => {
        await access.forAdministration(request)
        refuseForeignPages(request)
        const rights = await access.explainUser(readUser(request))
        return jsonResponse(200, toBody(rights), { 'x-request-id': requestId })
      },
    },
  ]
}

/** @returns `undefined` for requests without an identity. @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`). */
function readUser(request: HandlerRequest): NamedUser | undefined {
  const query = readQuery(request.url)
  const username = take(query, 'user')
  const realm = take(query, 'realm')
  const [roles, claims] = [takeAll(query, 'role'), takeAll(query, 'claim')]
  const [unknown] = query.keys()
  if (unknown !== undefined)
    throw refuse('Query parameters here are user, realm, role and claim', unknown.slice(0, 64))
  if (username === '') throw refuse("Query parameter 'user' is empty", 'user')
  if (username !== undefined) return { username, realm, roles, claims }
  if ([realm, roles, claims].every((given) => given === undefined)) return undefined
  throw refuse('Give the user: without one, the question is about requests without an identity', 'user')
}

function takeAll(query: URLSearchParams, name: string): readonly string[] | undefined {
  const values = query.getAll(name)
  query.delete(name)
  return values.length === 0 ? undefined : values
}

function toBody({ identity, rights, unmet }: UserRights): object {
  const user = identity && {
    username: identity.username,
    realm: identity.realm,
    roles: identity.roles,
    claims: identity.claims,
  }
  return {
    user: user ?? null,
    ...rightsBody(rights),
    unmet: unmet.map(({ path: by, reason }) => ({ by, reason })),
  }
}
