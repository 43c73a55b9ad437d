/**
 * `GET /api/v1/admin/audit`: what the audit log of this process got lately, the newest first. Each process answers for itself, and says which
 * process it is.
 *
 * @module
 */

import { refuse, take, takeLimit } from '#services/auth/history/request.ts'
import { AUDIT_ACTIONS } from '#shared/access/audit/audit.ts'
import { KEPT_OF_EACH_KIND } from '#shared/access/audit/tail.ts'
import { ANONYMOUS } from '#shared/access/policy/requester.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { refuseForeignPages } from '#shared/http/foreign_pages.ts'
import { readQuery } from '#shared/http/query.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { OFFERS_JSON, type Route } from '#shared/http/route.ts'
import type { RecentAudit, SystemAccess } from './access.ts'

export interface AuditRoutesParts {
  readonly access: Pick<SystemAccess, 'forAdministration' | 'recent'>
  /** Different for each process. */
  readonly instance: string
}

/** A page that a client without a wish gets, and the largest: as for streams. */
const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000
/** What became of a request: refused, or anything else. */
export const OUTCOMES = ['allowed', 'refused'] as const

/** The route. */
export function createAuditRoutes({ access, instance }: AuditRoutesParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/admin/audit',
      doc: 'audit',
      generation: 2,
      offers: OFFERS_JSON,
      handle: async (request, { requestId }) => {
        await access.forAdministration(request)
        refuseForeignPages(request)
        const page = listRecent(access.recent, readWanted(request))
        return jsonResponse(200, { instance, ...page }, { 'x-request-id': requestId })
      },
    },
  ]
}

/** What an operator asks for. */
interface Wanted {
  readonly limit: number
  readonly action: string | undefined
  readonly outcome: string | undefined
  readonly who: string | undefined
  readonly event: string | undefined
  /** Only records with a smaller number. */
  readonly before: number
}

/** @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`). */
function readWanted(request: HandlerRequest): Wanted {
  const query = readQuery(request.url)
  const limit = takeLimit(query, { standard: DEFAULT_LIMIT, most: MAX_LIMIT })
  const cursor = take(query, 'cursor')
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor))
    throw refuse("Query parameter 'cursor' is not one that this service gave out", 'cursor')
  const wanted: Wanted = {
    limit,
    action: takeOneOf(query, 'action', AUDIT_ACTIONS),
    outcome: takeOneOf(query, 'outcome', OUTCOMES),
    who: take(query, 'who'),
    event: take(query, 'event'),
    before: cursor === undefined ? Infinity : Number(cursor),
  }
  const [unknown] = query.keys()
  if (unknown === undefined) return wanted
  throw refuse(
    'Query parameters here are limit, cursor, action, outcome, who and event',
    unknown.slice(0, 64),
  )
}

function takeOneOf(query: URLSearchParams, name: string, values: readonly string[]): string | undefined {
  const value = take(query, name)
  if (value === undefined || values.includes(value)) return value
  throw refuse(`Query parameter '${name}' must be one of ${values.join(', ')}`, name)
}

/** The members of a record that are asked for. */
interface ReadRecord {
  readonly action: string
  readonly user?: string
  readonly event?: string
}

function listRecent({ list, hasPublished }: RecentAudit, { limit, before, ...wanted }: Wanted): object {
  const records: object[] = []
  let last = 0
  let isMore = false
  for (const { number, line } of list()) {
    if (number >= before) continue
    const record = JSON.parse(line) as ReadRecord
    if (!isWanted(record, wanted)) continue
    isMore = records.length === limit
    if (isMore) break
    records.push({ number, ...record })
    last = number
  }
  return {
    has_published: hasPublished,
    kept_of_each_action: KEPT_OF_EACH_KIND,
    records,
    cursor: isMore ? String(last) : null,
  }
}

function isWanted({ action, user, event }: ReadRecord, wanted: Omit<Wanted, 'limit' | 'before'>): boolean {
  const outcome = action === 'refused' ? 'refused' : 'allowed'
  return (
    (wanted.action ?? action) === action &&
    (wanted.outcome ?? outcome) === outcome &&
    (wanted.who === undefined || wanted.who === (user ?? ANONYMOUS)) &&
    (wanted.event === undefined || wanted.event === event)
  )
}
