/**
 * The list of open streams, and the end of one, for all workers together: each worker knows its own.
 *
 * @module
 */

import { cancelBody, toResponse, type Answer, type Handler, type HandlerRequest } from '#shared/handler.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { rawPath } from '#shared/http/route.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import { DOOR, PEER } from './doors.ts'
import { FIRST } from './place.ts'

const PATH = '/api/v1/admin/streams'
/** A place in the list: the worker, and the place in its own list. */
const CURSOR = /^(\d{1,3})-(\d{1,15})$/
/** As of one worker. */
const DEFAULT_LIMIT = 100

/** The list of one worker. */
interface StreamList {
  readonly instance: string
  readonly total: number
  readonly streams: readonly { readonly behind: { readonly revisions: string } }[]
  readonly cursor: string | null
}

/** The other workers that listen. */
export type FindWorkers = () => readonly (readonly [number: number, client: LocalClient])[]

/** Puts the answers for all workers in front of the first one's own. */
export function withAllStreams(handler: Handler, others: FindWorkers): Handler {
  return (request) => {
    const path = rawPath(request.url)
    if (path === PATH && request.method === 'GET') return list(request, asking(handler, others))
    if (path.startsWith(`${PATH}/`) && request.method === 'DELETE')
      return end(request, asking(handler, others))
    return handler(request)
  }
}

/** A worker, and how it is asked. */
interface Asked {
  readonly number: number
  readonly ask: (request: HandlerRequest) => Promise<Answer>
}

function asking(handler: Handler, others: FindWorkers): readonly Asked[] {
  const more = others().map(([number, client]) => ({
    number,
    ask: (request: HandlerRequest) => client.send(request, { [DOOR]: 'all', [PEER]: request.peer ?? '' }),
  }))
  return [{ number: FIRST, ask: handler }, ...more]
}

/** The worker that has the stream ends it; the others say that they have none of this id. */
async function end(request: HandlerRequest, workers: readonly Asked[]): Promise<Answer> {
  let last: Answer | undefined
  for (const { ask } of workers) {
    if (last !== undefined) cancelBody(last.body)
    last = await ask(request)
    if (last.status !== 404) return last
  }
  return last ?? { status: 404, headers: {}, body: null }
}

async function list(request: HandlerRequest, workers: readonly Asked[]): Promise<Answer> {
  const url = new URL(request.url)
  const [, worker, inside] = CURSOR.exec(url.searchParams.get('cursor') ?? '') ?? []
  if (worker !== undefined) url.searchParams.set('cursor', inside ?? '0')
  // The first one refuses what is wrong, for all.
  const first = toResponse(
    (await workers[0]?.ask(at(request, url))) ?? { status: 404, headers: {}, body: null },
  )
  if (!first.ok) return answerOf(first)
  const headers = { 'x-request-id': first.headers.get('x-request-id') ?? '' }
  await first.body?.cancel()
  const from = Number(worker ?? FIRST)
  const limit = Number(url.searchParams.get('limit') ?? DEFAULT_LIMIT)
  const isByLag = url.searchParams.get('sort') === 'behind'
  const lists = await Promise.all(
    workers.map(async ({ number, ask }) => {
      const own = new URL(url)
      if (number !== from) own.searchParams.delete('cursor')
      return { number, ...(await listOf(await ask(at(request, own)))) }
    }),
  )
  const rest = isByLag ? lists : lists.filter(({ number }) => number >= from)
  const streams = rest.flatMap((one) => one.streams.map((stream) => ({ number: one.number, stream })))
  if (isByLag)
    streams.sort((a, b) => Number(BigInt(b.stream.behind.revisions) - BigInt(a.stream.behind.revisions)))
  const page = streams.slice(0, limit)
  return jsonResponse(
    200,
    {
      instance: lists[0]?.instance,
      total: lists.reduce((sum, { total }) => sum + total, 0),
      streams: page.map(({ stream }) => stream),
      cursor: isByLag ? null : nextCursor(page.length, rest),
    },
    headers,
  )
}

/** Where the list goes on, after so many streams of the lists of workers. */
function nextCursor(
  taken: number,
  lists: readonly (StreamList & { readonly number: number })[],
): string | null {
  let left = taken
  for (const { number, streams, cursor } of lists) {
    if (left < streams.length) return `${number}-${left === 0 ? 0 : numberOf(streams[left - 1])}`
    left -= streams.length
    if (cursor !== null) return `${number}-${cursor}`
  }
  return null
}

/** The number in the id of a stream: its place in the list of its worker. */
function numberOf(stream: unknown): string {
  const id: unknown = typeof stream === 'object' && stream !== null && 'id' in stream ? stream.id : ''
  return /-(\d+)$/.exec(String(id))?.[1] ?? '0'
}

async function listOf(answer: Answer): Promise<StreamList> {
  const response = toResponse(answer)
  // A worker that is just being replaced has no streams.
  if (!response.ok) return { instance: '', total: 0, streams: [], cursor: null }
  return (await response.json()) as StreamList
}

async function answerOf(response: Response): Promise<Answer> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: new Uint8Array(await response.arrayBuffer()),
  }
}

/** The same request at another address. */
function at(request: HandlerRequest, url: URL): HandlerRequest {
  const { method, headers, signal, peer } = request
  return {
    method,
    url: url.href,
    headers,
    signal,
    peer,
    body: null,
    arrayBuffer: () => request.arrayBuffer(),
  }
}
