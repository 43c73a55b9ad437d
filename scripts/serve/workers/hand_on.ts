/**
 * What a further worker hands to the first one, because only that has it: publishing on the embedded store, administration, the
 * monitoring, tickets, and the answers for all workers together. The request goes on as it came, so identity and limits are what they are
 * there.
 *
 * @module
 */

import { createRouteTable } from '#services/system/routes.ts'
import type { Config, ServiceName } from '#services/system/settings.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Handler, HandlerRequest } from '#shared/handler.ts'
import { asProblem } from '#shared/http/problem.ts'
import { errorResponse, requestIdOf } from '#shared/http/respond.ts'
import { rawPath } from '#shared/http/route.ts'
import type { Logger } from '#shared/logger.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import { DOOR, PEER, type Door } from './doors.ts'

/** What the first worker answers for all, whatever services run. */
const OF_ALL = ['/metrics', '/ready', '/readyz'] as const
/** What the listening service writes to the store, and what it tells of all streams. */
const OF_AUTH = [
  '/api/v1/tickets',
  '/api/v1/admin/streams',
  '/api/v1/admin/streams/*',
  '/api/v1/admin/live',
] as const
/** A stream that is opened with a ticket: the ticket is used up in the store. */
const WITH_TICKET = /[?&]ticket=/

export interface HandOnParts {
  readonly config: Config
  /** Those that run somewhere. */
  readonly services: readonly ServiceName[]
  /** Those that run here. */
  readonly here: readonly ServiceName[]
  /** Whether the store can be written from here. */
  readonly isWritable: boolean
  readonly first: LocalClient
  readonly random: () => string
  readonly logger: Logger
}

/** Decides request by request. */
export interface HandOn {
  /** In front of the handler of all services. */
  all(handler: Handler): Handler
  /** In front of the handler of one service; absent: it does not run here. */
  only(service: ServiceName, handler?: Handler): Handler
}

type Where = 'here' | 'first'

export function createHandOn(parts: HandOnParts): HandOn {
  const { isWritable } = parts
  const table = createRouteTable<Where>()
  for (const [route, where] of wherePaths(parts)) table.set(route, where)
  const isForFirst = (request: HandlerRequest): boolean =>
    table.find(rawPath(request.url)) === 'first' || (!isWritable && WITH_TICKET.test(request.url))
  return {
    all: (handler) => {
      const handOn = handTo(parts, 'all')
      return (request) => (isForFirst(request) ? handOn : handler)(request)
    },
    only: (service, handler) => {
      const handOn = handTo(parts, service)
      if (handler === undefined) return handOn
      return (request) => (isForFirst(request) ? handOn : handler)(request)
    },
  }
}

/** Where each route leads. */
function wherePaths({ config, services, here, isWritable }: HandOnParts): ReadonlyMap<string, Where> {
  const places = new Map<string, Where>(OF_ALL.map((route) => [route, 'first']))
  for (const service of services)
    for (const route of config.workers[service].routes)
      places.set(route, here.includes(service) ? 'here' : 'first')
  // On etcd every worker takes tickets.
  const ofFirst = !here.includes('auth') ? [] : isWritable ? OF_AUTH.slice(1) : OF_AUTH
  for (const route of ofFirst) places.set(route, 'first')
  return places
}

function handTo({ first, random, logger }: HandOnParts, door: Door): Handler {
  return async (request) => {
    try {
      return await first.send(request, { [DOOR]: door, [PEER]: request.peer ?? '' })
    } catch (error) {
      const failure =
        error instanceof AvisoError
          ? error
          : new AvisoError('ERR_INTERNAL', 'The request could not be handed on')
      return asProblem(request, errorResponse(failure, { requestId: requestIdOf(request, random), logger }))
    }
  }
}
