/**
 * Finds out how to speak to each member: gRPC where it answers that, otherwise its JSON gateway. Another Aviso answers HTTP/1.1 alone, and
 * so do many proxies.
 *
 * What was found is kept. It is found out again when a member that was asked through its gateway fails, because what comes back may be
 * another one, and when something else than gRPC answers where gRPC was.
 *
 * @module
 */

import { isJsonRecord } from '#shared/json/record.ts'
import type { Logger } from '#shared/logger.ts'
import type { Clock } from '#shared/time/clock.ts'
import { STATUS_PATH } from './members.ts'
import type { Outcome, Transport } from './transport.ts'
import type { WireObject } from './wire.ts'

/** Time limit of the question that shows whether gRPC is spoken. A member answers it at once, from memory. */
const PROBE_LIMIT_MS = 1_000
/**
 * Where gRPC gave no answer at all, the gateway is kept for this long only: etcd may just have started, or been slow. Each time it is so
 * again, twice as long, because each question may cost a call {@link PROBE_LIMIT_MS}.
 */
const UNSURE_MS = { first: 10_000, most: 600_000 } as const

/** The two ways. */
export interface Ways {
  readonly grpc: Transport
  readonly gateway: Transport
}

/** What the choice is made with. */
export interface ChoiceParts extends Ways {
  readonly clock: Clock
  readonly logger: Logger
}

type Way = keyof Ways

/** What was found out about a member. */
interface Choice {
  readonly way: Way
  /** In monotonic time. */
  readonly until: number
}

/** What the question showed. `unsure`: nothing answered, in no way. */
type Finding = Way | 'unsure'

const SPOKEN: Readonly<Record<Way, string>> = {
  grpc: 'The store is reached over gRPC',
  gateway: 'The store is reached over the JSON gateway of etcd, because no gRPC answers there',
}

/** Makes the transport. Nothing is asked before the first call. */
export function createChosenTransport({ grpc, gateway, clock, logger }: ChoiceParts): Transport {
  const choices = new Map<string, Choice>()
  const probes = new Map<string, Promise<Finding>>()
  /** How often the gateway was taken without being sure. */
  const doubts = new Map<string, number>()
  let said: Way | undefined

  /** @param until In monotonic time. */
  const keep = (endpoint: string, way: Way, until = Infinity): void => {
    choices.set(endpoint, { way, until })
    if (said !== way) logger('info', SPOKEN[way], { endpoint })
    said = way
  }
  const probe = async (endpoint: string): Promise<Finding> => {
    const question = { endpoint, path: STATUS_PATH, message: {}, token: undefined, signals: [] }
    const outcome = await grpc.ask({ ...question, limitMs: PROBE_LIMIT_MS })
    const finding = toFinding(outcome)
    if (finding === 'grpc') keep(endpoint, 'grpc')
    return finding
  }
  /** What is known of a member, or is found out now. */
  const find = (endpoint: string): Promise<Finding> | Way => {
    const known = choices.get(endpoint)
    if (known !== undefined && clock.monotonic() < known.until) return known.way
    choices.delete(endpoint)
    const running = probes.get(endpoint) ?? probe(endpoint).finally(() => probes.delete(endpoint))
    probes.set(endpoint, running)
    return running
  }
  /** Learns from an outcome. */
  const learn = (endpoint: string, finding: Finding, outcome: Outcome<unknown>): void => {
    if (finding === 'grpc') {
      if (isForeign(outcome)) choices.delete(endpoint)
      return
    }
    const failed = outcome.kind === 'not_done' || outcome.kind === 'unknown'
    if (failed) choices.delete(endpoint)
    else if (!choices.has(endpoint))
      keep(endpoint, 'gateway', finding === 'unsure' ? doubt(endpoint) : Infinity)
  }
  /** @returns Until when the gateway is kept. */
  const doubt = (endpoint: string): number => {
    const times = doubts.get(endpoint) ?? 0
    doubts.set(endpoint, times + 1)
    return clock.monotonic() + Math.min(UNSURE_MS.first * 2 ** times, UNSURE_MS.most)
  }
  return {
    get way() {
      return (said === 'gateway' ? gateway : grpc).way
    },
    encodeBytes: (bytes) => bytes,
    get beginsCut() {
      return (said === 'gateway' ? gateway : grpc).beginsCut
    },
    ask: async (exchange) => {
      const { endpoint, message } = exchange
      const found = find(endpoint)
      const finding = found instanceof Promise ? await found : found
      const outcome =
        finding === 'grpc'
          ? await grpc.ask(exchange)
          : await gateway.ask({ ...exchange, message: encodeAll(message, gateway) })
      learn(endpoint, finding, outcome)
      return outcome
    },
    open: async (request) => {
      const { endpoint, message } = request
      const finding = await find(endpoint)
      const outcome =
        finding === 'grpc'
          ? await grpc.open(request)
          : await gateway.open({ ...request, message: encodeAll(message, gateway) })
      learn(endpoint, finding, outcome)
      return outcome
    },
    close: () => {
      grpc.close()
      gateway.close()
    },
  }
}

function toFinding(outcome: Outcome<WireObject>): Finding {
  // etcd that wants a token, or refuses us, has spoken gRPC.
  if (outcome.kind === 'done' || outcome.kind === 'login') return 'grpc'
  if (isForeign(outcome)) return 'gateway'
  return outcome.kind === 'refused' ? 'grpc' : 'unsure'
}

function isForeign(outcome: Outcome<unknown>): boolean {
  return outcome.kind !== 'done' && outcome.error.code === 'ERR_STORE_PROTOCOL'
}

/** A message with its bytes as the gateway wants them. */
function encodeAll(message: object, { encodeBytes }: Transport): object {
  const encode = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return encodeBytes(value)
    if (Array.isArray(value)) return value.map(encode)
    if (!isJsonRecord(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, encode(inner)]))
  }
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, encode(value)]))
}
