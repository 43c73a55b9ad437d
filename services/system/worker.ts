/**
 * Makes the worker module of a service: what `main` of the configuration names, and every runtime loads. Nothing happens before the first
 * call. The bindings say what a call goes to (`bindings.ts`):
 *
 * - under the launcher to the service that it has started,
 * - on workerd to the Durable Object that runs the services,
 * - alone (`deno serve`, `bun FILE`, an adapter) to a system of its own.
 *
 * @module
 */

import { isLoopback } from '#shared/config/shapes.ts'
import { AvisoError } from '#shared/errors.ts'
import {
  toFetchHandler,
  toResponse,
  type Answer,
  type Handler,
  type HandlerRequest,
} from '#shared/handler.ts'
import { errorResponse, requestIdOf } from '#shared/http/respond.ts'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { peerOf } from '#shared/runtime/peer_of.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { respondTo, WebRequest } from '#shared/runtime/web_request.ts'
import {
  hasBindings,
  hostedService,
  hostNamespace,
  openFromBindings,
  unopened,
  type HostedService,
  type OwnSystem,
} from './bindings.ts'
import { cronRequest, toHost } from './durable_host.ts'
import type { ServiceName } from './settings.ts'

/** A cron trigger, as Cloudflare gives it. */
export interface ScheduledController {
  readonly cron: string
  /** Milliseconds since 1970. */
  readonly scheduledTime: number
  /** The launcher says so where nothing ran at that time. */
  readonly isCatchUp?: boolean
}

/** What a worker module exports as default. */
export interface WorkerModule {
  fetch(request: Request, env?: unknown, context?: unknown): Promise<Response> | Response
  scheduled?(controller: ScheduledController, env?: unknown, context?: unknown): Promise<void> | void
}

/** Name of the member by which the launcher gets the handler of a module of ours, without a `Request` and a `Response` for each request. */
export const OPEN = Symbol.for('aviso.worker.open')

/** A module of ours. */
export interface AvisoWorker extends WorkerModule {
  fetch(request: Request, env?: unknown, context?: unknown): Promise<Response>
  scheduled(controller: ScheduledController, env?: unknown, context?: unknown): Promise<void>
  [OPEN](hosted: HostedService): Handler
}

/** A system of its own, and what it runs on. */
interface Alone extends OwnSystem {
  readonly platform: Platform
}

/** Makes the module. */
export function createWorker(service: ServiceName): AvisoWorker {
  let opening: Promise<Alone> | undefined
  const open = (env: unknown): Promise<Alone> => {
    // What is missing may be there at the next request.
    opening ??= openAlone(env, service).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  return {
    [OPEN]: ({ handle }) => handle,
    fetch: async (request, env) => {
      const hosted = hostedService(env)
      if (hosted !== undefined) return toFetchHandler(hosted.handle)(request)
      const host = hostNamespace(env)
      if (host !== undefined) return toHost(host, request, service)
      try {
        return await answerAlone(await open(env), request, env)
      } catch (error) {
        return toResponse(unopened(error))
      }
    },
    scheduled: async ({ cron, scheduledTime, isCatchUp = false }, env) => {
      const event = { cron, scheduledTime, isCatchUp }
      const host = hostNamespace(env)
      if (host !== undefined) return void (await toHost(host, cronRequest(event), 'cron'))
      const { scheduled } = hostedService(env) ?? (await open(env)).system
      return scheduled(event)
    },
  }
}

async function openAlone(env: unknown, service: ServiceName): Promise<Alone> {
  const platform = await detectPlatform()
  // `deno serve` and `bun FILE` give something else there, and have environment variables.
  const bindings = hasBindings(env) ? { ...platform.environment, ...env } : platform.environment
  const own = await openFromBindings({ bindings, platform, services: [service] })
  platform.onStop?.(own.system.close)
  return { platform, ...own }
}

async function answerAlone(alone: Alone, request: Request, beside: unknown): Promise<Response> {
  const { platform, system } = alone
  const peer = peerOf(request, beside)
  const received = new WebRequest(request, {
    findPeer: () => peer,
    isClosing: platform.name === 'bun',
  })
  const answer = isOpenTo(peer, alone) ? await system.handle(received) : refuseStranger(received, platform)
  return respondTo(received, answer)
}

/** Without identities, only this machine is let in. A server that tells no address is behind something that does not lie about `Host`. */
function isOpenTo(peer: string | undefined, { config }: Alone): boolean {
  return config.vars.identity !== 'none' || peer === undefined || isLoopback(peer.replace(/^::ffff:/, ''))
}

function refuseStranger(request: HandlerRequest, platform: Platform): Answer {
  const error = new AvisoError(
    'ERR_FORBIDDEN',
    'Without identities this service answers this machine alone: configure vars.identity and vars.policy',
  )
  return errorResponse(error, { requestId: requestIdOf(request, platform.random), logger: silentLogger })
}
