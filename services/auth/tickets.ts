/**
 * Tickets of streams: `POST /api/v1/tickets` gives one out, and `GET /api/v1/watch?ticket=…` uses it up.
 *
 * A ticket is kept in the store, so every service on the same store accepts it, once. It hangs on a lease that deletes it when its time is
 * over. The store holds no credential that can be read (`shared/access/identity/ticket.ts`).
 *
 * @module
 */

import { prefixRange, toBytes } from '#shared/bytes/bytes.ts'
import type { Access } from '#shared/access/access.ts'
import type { Count } from '#shared/access/identity/counters.ts'
import {
  CREDENTIAL_HEADERS,
  readTicket,
  sealTicket,
  type ReadTicket,
  type TicketHeaders,
  type TicketPlace,
} from '#shared/access/identity/ticket.ts'
import { networkOf } from '#shared/access/policy/address.ts'
import { createBuckets, tooMany, type Buckets, type Rate } from '#shared/access/quota/buckets.ts'
import { countEverywhere, type Elsewhere } from '#shared/access/quota/elsewhere.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import { rateLimitFields } from '#shared/http/rate_limit.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import type { Route } from '#shared/http/route.ts'
import { INTERNAL_PREFIX } from '#shared/journal/journal.ts'
import type { CallOptions, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'

/** Limits of tickets, and what they are counted with. */
export interface TicketSettings {
  /** Tickets given to one identity. Each is for opening a stream, so the rate is that of opening streams. */
  readonly perIdentity: Rate
  /**
   * Tickets of one address that are not accepted. Each costs a read of the store. A browser that connects again sends a used ticket, and a
   * whole institute may be behind one address, so this is no limit for wrong credentials.
   */
  readonly wrongPerAddress: Rate
  readonly addressOf: (request: HandlerRequest) => string | undefined
  readonly count: Count
  /** Other workers that give tickets out and take them, too; absent: there are none. */
  readonly elsewhere?: Elsewhere | undefined
}

export interface TicketParts {
  readonly store: Store
  readonly access: Pick<Access, 'forListening'>
  readonly clock: Clock
  readonly random: () => string
  readonly settings: TicketSettings
}

/** Gives out tickets and takes them back. */
export interface Tickets {
  readonly route: Route
  /** Access for requests that may have a ticket in their address. The ticket is used up before anything else is looked at. */
  readonly access: Pick<Access, 'forListening'>
}

/** Time in which a page opens its stream: enough for a slow line, and too short to be found in a proxy's log in time. */
const TICKET_SECONDS = 30
/**
 * Tickets of one identity that are not used yet. A page uses its ticket at once, so these are pages that are opened in the same half minute.
 * They are counted before one is written, so requests at the same moment may get a few more.
 */
const MAX_OUTSTANDING = 32
/** Place in the store. The rest of the name is a digest. */
const TICKETS_PREFIX = `${INTERNAL_PREFIX}tickets/`
const PARAMETER = 'ticket'

export function createTickets(parts: TicketParts): Tickets {
  const { access, clock, settings } = parts
  const { elsewhere } = settings
  const issued = countEverywhere(createBuckets(clock, settings.perIdentity), 'tickets', elsewhere)
  const wrong = countEverywhere(createBuckets(clock, settings.wrongPerAddress), 'wrong_tickets', elsewhere)
  return {
    route: {
      method: 'POST',
      path: '/api/v1/tickets',
      doc: 'ticket',
      generation: 2,
      handle: (request, { requestId }) => issue(parts, issued, { request, requestId }),
    },
    access: {
      forListening: async (request) => {
        const ticket = ticketIn(request)
        if (ticket === undefined) return access.forListening(request)
        return access.forListening(withHeaders(request, await useUp(parts, wrong, { request, ticket })))
      },
    },
  }
}

async function issue(
  parts: TicketParts,
  issued: Buckets,
  { request, requestId }: { readonly request: HandlerRequest; readonly requestId: string },
): Promise<Answer> {
  const { access, clock, random, settings, store } = parts
  const { principal, endsAt: credentialEnd = Infinity } = (
    await access.forListening(request)
  ).requireIdentity()
  if (!issued.take(principal)) {
    settings.count('tickets_limited')
    throw tooMany('tickets', issued.retryAfterSeconds(principal))
  }
  // Not beyond the credential, although the credential is looked at again when the ticket is used.
  const endsAt = Math.min(clock.now() + TICKET_SECONDS * 1000, credentialEnd)
  const { ticket, place, sealed } = await sealTicket({ principal, headers: request.headers, endsAt }, random)
  const { signal } = request
  await requireRoom(parts, place, { signal })
  const lease = await store.grantLease(TICKET_SECONDS, { signal })
  await store.txn(
    { compare: [], success: [{ kind: 'put', key: toBytes(keyOf(place)), value: sealed, lease }] },
    { signal },
  )
  settings.count('tickets_issued')
  const expiresIn = Math.max(1, Math.floor((endsAt - clock.now()) / 1000))
  return jsonResponse(
    200,
    { ticket, expires_in: expiresIn },
    { 'x-request-id': requestId, ...rateLimitFields(issued.left(principal)) },
  )
}

/** @throws {AvisoError} `ERR_TOO_MANY_REQUESTS` for an identity that has many tickets and uses none. */
async function requireRoom(
  { settings, store }: TicketParts,
  { owner }: TicketPlace,
  options: CallOptions,
): Promise<void> {
  const { count } = await store.range(
    { ...prefixRange(`${TICKETS_PREFIX}${owner}/`), countOnly: true },
    options,
  )
  if (count < BigInt(MAX_OUTSTANDING)) return
  settings.count('tickets_limited')
  throw tooMany('tickets that are not used', TICKET_SECONDS)
}

/** @throws {AvisoError} `ERR_BAD_REQUEST` for several tickets, and for a ticket beside a credential. */
function ticketIn({ url, headers }: HandlerRequest): string | undefined {
  // Before the query is read, which most requests need not pay for twice.
  if (!url.includes(PARAMETER)) return undefined
  const [ticket, ...more] = readQuery(url).getAll(PARAMETER)
  if (ticket === undefined) return undefined
  if (more.length > 0) throw refusal('Send one ticket')
  if (headers.has('authorization')) throw refusal('Send a ticket or an Authorization header, not both')
  return ticket
}

function refusal(message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field: PARAMETER } })
}

/**
 * Uses a ticket up.
 *
 * @throws {AvisoError} `ERR_TICKET_ENDED`, `ERR_TOO_MANY_REQUESTS`, and the store's errors.
 */
async function useUp(
  parts: TicketParts,
  wrong: Buckets,
  { request, ticket }: { readonly request: HandlerRequest; readonly ticket: string },
): Promise<TicketHeaders> {
  const { clock, settings } = parts
  const address = settings.addressOf(request)
  const network = address === undefined ? undefined : networkOf(address)
  if (network !== undefined && !wrong.has(network)) {
    settings.count('tickets_limited')
    throw tooMany('wrong tickets', wrong.retryAfterSeconds(network))
  }
  const read = await readTicket(ticket)
  const sealed = read && (await takeOut(parts.store, read, { signal: request.signal }))
  const headers = sealed && (await read.open(sealed, clock.now()))
  if (headers !== undefined) {
    settings.count('tickets_used')
    return headers
  }
  if (network !== undefined) wrong.take(network)
  settings.count('tickets_refused')
  throw new AvisoError(
    'ERR_TICKET_ENDED',
    'This ticket was used already, or its time is over: get a new one with POST /api/v1/tickets',
  )
}

/**
 * Takes the sealed ticket out of the store: of several that try, one gets it. It is read first, because a transaction costs the store far
 * more than a read, and anybody can send wrong tickets.
 */
async function takeOut(
  store: Store,
  { place }: ReadTicket,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  const key = toBytes(keyOf(place))
  const [kv] = (await store.range({ key }, options)).kvs
  if (kv === undefined) return undefined
  const { succeeded } = await store.txn(
    {
      compare: [{ key, target: 'MOD', result: 'EQUAL', value: kv.modRevision }],
      success: [{ kind: 'delete', range: { key } }],
    },
    options,
  )
  return succeeded ? kv.value : undefined
}

function keyOf({ owner, name }: TicketPlace): string {
  return `${TICKETS_PREFIX}${owner}/${name}`
}

/** The request as if it had been sent with the credential that the ticket stands for. */
function withHeaders(request: HandlerRequest, credential: TicketHeaders): HandlerRequest {
  const own = new Headers({ ...credential })
  const isCredential = (name: string): boolean => CREDENTIAL_HEADERS.some((one) => one === name.toLowerCase())
  return {
    method: request.method,
    url: request.url,
    headers: {
      get: (name) => (isCredential(name) ? own : request.headers).get(name),
      has: (name) => (isCredential(name) ? own : request.headers).has(name),
    },
    signal: request.signal,
    body: request.body,
    arrayBuffer: () => request.arrayBuffer(),
    peer: request.peer,
  }
}
