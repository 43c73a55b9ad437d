/**
 * `GET /api/v1/admin/live`: one frame a second of what a dashboard needs, as server-sent events or lines of JSON. Each process tells of
 * itself, and says which process it is.
 *
 * @module
 */

import { createLive, type LiveParts } from './streams/live.ts'
import type { Access } from '#shared/access/access.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { chooseType } from '#shared/http/accept.ts'
import { refuseForeignPages } from '#shared/http/foreign_pages.ts'
import type { Route } from '#shared/http/route.ts'
import { encodeSse } from '#shared/http/sse.ts'

export interface LiveRoutesParts extends LiveParts {
  readonly access: Pick<Access, 'forAdministration'>
  /** Seconds after which a view is ended; the page comes back. */
  readonly maxAgeSeconds: number
}

/** Views at a time. A dashboard on a wall and the tabs of a few operators are fewer. */
const MOST_VIEWS = 64
/** How often the right to look is asked for again: as often as a revoked right may matter. */
const RECHECK_MS = 30_000
const TYPES = [
  'text/event-stream',
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
] as const

const asEvent = (frame: string): Uint8Array => encodeSse({ event: 'live', data: frame })
const asLine = (frame: string): Uint8Array => toBytes(`${frame}\n`)

/** The route. */
export function createLiveRoutes(parts: LiveRoutesParts): readonly Route[] {
  const { access, clock, maxAgeSeconds } = parts
  const live = createLive(parts)

  /** Ends a view when its right has ended, or its time is over. @returns a function that stops watching. */
  function watch(request: HandlerRequest, end: () => void): () => void {
    const stopAge = clock.after(maxAgeSeconds * 1000, end)
    const stopRight = clock.every(RECHECK_MS, () => {
      // The request has the credential, which is looked at again.
      access.forAdministration(request).catch(end)
    })
    return () => {
      stopAge()
      stopRight()
    }
  }
  return [
    {
      method: 'GET',
      path: '/api/v1/admin/live',
      doc: 'live',
      generation: 2,
      offers: TYPES,
      handle: async (request, { requestId }) => {
        await access.forAdministration(request)
        refuseForeignPages(request)
        if (live.size >= MOST_VIEWS || parts.closing.aborted)
          throw new AvisoError('ERR_OVERLOADED', 'There are too many views of this kind; try again later')
        const type = chooseType(request.headers.get('accept'), TYPES) ?? TYPES[0]
        let stop: (() => void) | undefined
        const view = live.open({
          encode: type === TYPES[0] ? asEvent : asLine,
          onGone: () => stop?.(),
        })
        if (request.method !== 'HEAD') stop = watch(request, view.end.bind(view))
        return {
          status: 200,
          headers: {
            'content-type': type,
            'cache-control': 'no-cache, no-store',
            'x-accel-buffering': 'no',
            'x-content-type-options': 'nosniff',
            vary: 'Accept',
            'x-request-id': requestId,
          },
          body: view.body,
        }
      },
    },
  ]
}
