/**
 * The Durable Object that runs the services on workerd: one object for all of them, because only there may one request wake another, and
 * its storage is the embedded store. The modules in front of it hand it their requests.
 *
 * @module
 */

import { isStreamed, toResponse, type Handler } from '#shared/handler.ts'
import { answeringSenders, createWorkerdPlatform, type DurableObjectState } from '#shared/runtime/workerd.ts'
import { openFromBindings, unopened, type Bindings, type HostNamespace, type OwnSystem } from './bindings.ts'
import { SERVICE_NAMES, type ServiceName } from './settings.ts'
import type { CronEvent, System } from './system.ts'

/** Name of the one object. */
const OBJECT = 'aviso'
/** Says which worker a request came in at. A worker always sets it, so no client can. */
const DOOR_HEADER = 'aviso-door'
/** Doors that are no service: that of all services together, and that of cron triggers. */
type Door = ServiceName | 'all' | 'cron'

/** Hands a request to the object. */
export function toHost(host: HostNamespace, request: Request, door: Door): Promise<Response> {
  const headers = new Headers(request.headers)
  headers.set(DOOR_HEADER, door)
  return host.get(host.idFromName(OBJECT)).fetch(new Request(request, { headers }))
}

/** A cron trigger as a request for the door of cron triggers. */
export function cronRequest(event: CronEvent): Request {
  return new Request('http://aviso/', { method: 'POST', body: JSON.stringify(event) })
}

/** A handler whose streams nobody compresses: what Cloudflare and `wrangler dev` compress, they hold back until there is much of it. */
function uncompressed(handler: Handler): Handler {
  return async (request) => {
    const answer = await handler(request)
    if (!isStreamed(answer.body)) return answer
    return { ...answer, headers: { ...answer.headers, 'content-encoding': 'identity' } }
  }
}

/** Hosts one system for all requests. It starts with the first one, and again after it was evicted. */
export class AvisoHost {
  readonly #state: DurableObjectState
  readonly #bindings: Bindings
  readonly #doors = new Map<ServiceName, Handler>()
  #opening: Promise<OwnSystem> | undefined

  constructor(state: DurableObjectState, bindings: Bindings) {
    this.#state = state
    this.#bindings = bindings
  }

  async fetch(request: Request): Promise<Response> {
    try {
      return await this.#answer((await this.#open()).system, request)
    } catch (error) {
      if (this.#opening !== undefined) throw error
      return toResponse(unopened(error))
    }
  }

  #open(): Promise<OwnSystem> {
    this.#opening ??= openFromBindings({
      bindings: this.#bindings,
      platform: createWorkerdPlatform(this.#state, {}),
      services: SERVICE_NAMES,
    }).catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #answer(system: System, request: Request): Promise<Response> {
    const door = request.headers.get(DOOR_HEADER)
    if (door === 'cron') {
      const event: CronEvent = await request.json()
      await system.scheduled(event)
      return new Response(null, { status: 204 })
    }
    const service = SERVICE_NAMES.find((name) => name === door)
    const handler = service === undefined ? system.handle : this.#doorOf(service, system)
    return answeringSenders(uncompressed(handler))(request)
  }

  #doorOf(service: ServiceName, system: System): Handler {
    const known = this.#doors.get(service) ?? system.only(service)
    this.#doors.set(service, known)
    return known
  }
}
