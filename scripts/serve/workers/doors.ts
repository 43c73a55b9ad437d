/**
 * What workers ask each other over their sockets. A request says in a header which door it is for.
 *
 * @module
 */

import type { ServiceName } from '#services/system/settings.ts'
import { SERVICE_NAMES } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import type { CountedOne } from '#shared/access/quota/elsewhere.ts'
import type { Answer, Handler, HandlerRequest } from '#shared/handler.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import type { MetricFamily } from '#shared/observe/metrics/registry.ts'
import type { QuotaAnswer, QuotaAsk, QuotaDoor } from './quota_door.ts'

/** Says which door a request is for. Workers always set it, so what a client writes there does not count. */
export const DOOR = 'aviso-worker-door'
/** Address of the client; empty where it is not known. */
export const PEER = 'aviso-worker-peer'
/** Number of the worker that asks. */
export const NUMBER = 'aviso-worker-number'

/** Number of the process that asks: one that is replaced has another. */
export const LIFE = 'aviso-worker-life'

/** What there is behind a door. */
export type Door =
  /** All services, or one alone, for requests that were handed on. */
  | 'all'
  | ServiceName
  /** The hub, for hubs of other workers. */
  | 'relay'
  /** Takes the notice that a worker listens. */
  | 'listening'
  /** Takes a telemetry message. */
  | 'telemetry'
  /** A sign of life. */
  | 'alive'
  /** Takes from the quotas. */
  | 'quota'
  /** Takes the notice of attempts that were counted. */
  | 'counted'
  /** What was measured, and the number of streams. */
  | 'figures'

/** What a worker tells of itself. */
export interface Figures {
  readonly families: readonly MetricFamily[]
  readonly streams: number
}

/** What is behind the doors of a worker. */
export interface DoorParts {
  readonly system: System
  /** As clients reach them. */
  readonly all: Handler
  readonly only: (service: ServiceName) => Handler
  /** Called with the number of a worker that listens; absent: this is not the first worker. */
  readonly onListening?: (worker: number) => void
  /** Absent: this is not the first worker. */
  readonly quotas?: QuotaDoor
  /** Called with what a process has counted; absent: this is not the first worker. */
  readonly onCounted?: (life: number, counted: readonly CountedOne[]) => void
}

/** Makes the handler of a worker's socket. */
export function createDoors({ system, all, only, onListening, quotas, onCounted }: DoorParts): Handler {
  return async (request) => {
    const door = request.headers.get(DOOR)
    switch (door) {
      case 'relay':
        return system.relay(request)
      case 'figures':
        return jsonAnswer(await figuresOf(system))
      case 'quota':
        return jsonAnswer(await takeQuotas(request, quotas))
      case 'counted':
        onCounted?.(lifeOf(request), await readJson<readonly CountedOne[]>(request))
        return DONE
      case 'alive':
        return DONE
      case 'listening':
        onListening?.(Number(request.headers.get(NUMBER)))
        return DONE
      case 'telemetry':
        system.acceptTelemetry(new Uint8Array(await request.arrayBuffer()))
        return DONE
      default: {
        const service = SERVICE_NAMES.find((name) => name === door)
        return (service === undefined ? all : only(service))(fromClient(request))
      }
    }
  }
}

/** Takes one after another, as they were asked for. */
async function takeQuotas(
  request: HandlerRequest,
  door: QuotaDoor | undefined,
): Promise<readonly QuotaAnswer[]> {
  const life = lifeOf(request)
  const asked = await readJson<readonly QuotaAsk[]>(request)
  const answers: QuotaAnswer[] = []
  if (door === undefined) return answers
  for (const one of asked) answers.push(await door.ask(life, one))
  return answers
}

function lifeOf({ headers }: HandlerRequest): number {
  return Number(headers.get(LIFE))
}

/** What another worker has written. */
async function readJson<Value>(request: HandlerRequest): Promise<Value> {
  return JSON.parse(toText(new Uint8Array(await request.arrayBuffer()))) as Value
}

/** JSON, at any size in one piece. */
function jsonAnswer(value: Figures | readonly QuotaAnswer[]): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: toBytes(JSON.stringify(value)),
  }
}

const DONE: Answer = { status: 204, headers: {}, body: null }

async function figuresOf(system: System): Promise<Figures> {
  return { families: await system.families(), streams: system.streams() }
}

/** The request as its client sent it. */
function fromClient(request: HandlerRequest): HandlerRequest {
  const peer = request.headers.get(PEER) ?? ''
  return {
    method: request.method,
    url: request.url,
    headers: request.headers,
    signal: request.signal,
    // Read when it is asked for, because it begins to read the connection.
    get body() {
      return request.body
    },
    arrayBuffer: () => request.arrayBuffer(),
    peer: peer === '' ? undefined : peer,
  }
}
