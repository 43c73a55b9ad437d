/**
 * Runs loads by the generator in C, which costs some microseconds a request, so that the server is measured and not the generator. Where no
 * compiler is there, the generator in TypeScript does the same over HTTP, at several times the cost.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { builtGenerator, runProgram, writeLoad } from './generator_program.ts'
import { runFromHere } from './generator_here.ts'
import { LIVE_PATH } from './listeners.ts'
import { median, type Percentiles } from './statistics.ts'

/** Requests to post. */
export interface PostLoad {
  readonly kind?: 'post'
  readonly path: string
  /** The body of each request, with numbers in the places that the generator's source describes. */
  readonly body: string
  readonly connections: number
  /** Further header lines, each ending in CRLF. */
  readonly headers?: string
  /** The revision that polls begin after, or the first number. */
  readonly revision?: number
  /** Requests due per second, whether or not answers come. Default: each connection sends the next when it has an answer. */
  readonly ratePerSecond?: number
  /** Requests in all. Default: as many as the time allows. */
  readonly requests?: number
  /** Notifications in a request. Default: 1. */
  readonly perRequest?: number
  /** What the number is taken modulo of where `^^^` stands in the body, and divided by where `^^^^^` does. */
  readonly modulo?: number
}

/** Streams of server-sent events. Every delivery is checked: the number after `tag` is one more than the one before. */
export interface ListenLoad {
  readonly kind: 'listen'
  /** In which a run of three to six `~` is the number of the stream, from 0. */
  readonly path: string
  readonly connections: number
  /** Default: {@link NOTIFICATION_TAG}. */
  readonly tag?: string
  /** Whether payloads say which post they are of, after {@link TIMED_TAG}, so that the latency can be told. */
  readonly isTimed?: boolean
  /** Numbers that each stream gets. Default: as many as were posted. */
  readonly expect?: number
  /** The number before the first expected one. Default: any first number is right. */
  readonly after?: number
  /** Whether numbers may be left out, because the stream is filtered. */
  readonly isSparse?: boolean
}

/** Requests or streams of another protocol, as bytes. Only the generator in C takes them. */
export interface WireLoad {
  readonly kind: 'wire'
  readonly isListen: boolean
  readonly protocol: 'http' | 'grpc' | 'nats' | 'redis' | 'mqtt'
  readonly connections: number
  readonly request: string | Uint8Array
  /** Bytes that a connection sends first. */
  readonly hello?: string | Uint8Array
  /** Bytes that it then waits for. */
  readonly ready?: string | Uint8Array
  readonly ratePerSecond?: number
  readonly requests?: number
  readonly perRequest?: number
  readonly modulo?: number
  readonly tag?: string
  readonly timed?: string
  readonly expect?: number
  readonly after?: number
  readonly isSparse?: boolean
}

export type Load = PostLoad | ListenLoad | WireLoad

/** What stands before the number of a notification in a stream of ours. */
export const NOTIFICATION_TAG = '"id":"mars@'
/** What stands before the number of a post in a payload. */
export const TIMED_TAG = '?t='

/** What came of a load. */
export interface LoadResult {
  /** Answers, or deliveries to all streams. */
  readonly count: number
  /** From the first request to the last answer or delivery. */
  readonly seconds: number
  readonly perSecond: number
  /** From when a request was due to its answer or delivery. NaN without such. */
  readonly latencyMs: Percentiles
  /** Streams: from opening the first one to the first delivery. */
  readonly firstMs?: number
  /** Streams: reads that had a notification; fewer than deliveries when several came at once. */
  readonly reads: number
  /** Bytes received. */
  readonly bytes: number
}

/** What came of loads that ran side by side. */
export interface LoadRun {
  /** One for each load, in their order. */
  readonly results: readonly LoadResult[]
  /** What the generator itself cost, each request and each delivery. */
  readonly ownMicros: number
}

/** What came of posts. */
export type PostResult = LoadResult & Pick<LoadRun, 'ownMicros'>

/** When to end, and what to do beside the loads. */
export interface LoadPlan {
  /** Milliseconds, or what ends the loads. Loads with a number of requests end with these. */
  readonly until: number | Promise<unknown>
  /** Runs when all streams are open, before the first post. Only with streams. */
  readonly onOpen?: () => unknown
  /** Runs after the last answer and delivery, while streams are still open. Only with streams. */
  readonly onSettled?: () => unknown
}

/** Whether there is a generator in C, which takes loads of every protocol. */
export function hasGenerator(): boolean {
  return builtGenerator() !== undefined
}

/**
 * Runs loads side by side. Streams open first.
 *
 * @throws {Error} When an answer was no success or did not come, or a delivery was lost, repeated or out of order: figures of a load with
 *   failures mean nothing.
 */
export async function runLoads(url: string, plan: LoadPlan, loads: readonly Load[]): Promise<LoadRun> {
  const program = builtGenerator()
  if (program === undefined) return runFromHere(url, plan, loads)
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  try {
    const wires = loads.map((load) => toWire(url, load))
    const words = await Promise.all(wires.map((load, index) => writeLoad(folder, load, index)))
    return await runProgram(program, url, plan, words)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Posts loads side by side. See {@link runLoads}. */
export async function runPosts(
  url: string,
  until: number | Promise<unknown>,
  loads: readonly PostLoad[],
): Promise<readonly PostResult[]> {
  const { results, ownMicros } = await runLoads(url, { until }, loads)
  return results.map((result) => ({ ...result, ownMicros }))
}

/** Posts one load. See {@link runLoads}. */
export async function runPost(url: string, until: number, load: PostLoad | WireLoad): Promise<PostResult> {
  const { results, ownMicros } = await runLoads(url, { until }, [load])
  return { ...theOnly(results), ownMicros }
}

/** The result of a single load. */
export function theOnly(results: readonly LoadResult[]): LoadResult {
  const [result] = results
  if (result === undefined) throw new Error('The generator gave no result')
  return result
}

/** A stream of all notifications. */
export function liveStreams(connections: number, more: Partial<ListenLoad> = {}): ListenLoad {
  return { kind: 'listen', path: LIVE_PATH, connections, ...more }
}

/** A note for a row: what the generator itself cost. */
export function ownCost(runs: readonly Pick<LoadRun, 'ownMicros'>[]): string {
  const how = hasGenerator() ? 'in C' : 'in TypeScript, because there is no compiler'
  return `generator ${how}: ${median(runs.map(({ ownMicros }) => ownMicros)).toFixed(1)} µs each`
}

function toWire(url: string, load: Load): WireLoad {
  const { host } = new URL(url)
  switch (load.kind) {
    case 'wire':
      return load
    case 'listen': {
      const { path, tag = NOTIFICATION_TAG, isTimed = false, ...rest } = load
      const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`
      const timed = isTimed ? { timed: TIMED_TAG } : {}
      return { ...rest, ...timed, kind: 'wire', isListen: true, protocol: 'http', request, tag }
    }
    default: {
      const { path, body, headers = '', ...rest } = load
      const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}Content-Type: application/json\r\n`
      const request = `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
      return { ...rest, kind: 'wire', isListen: false, protocol: 'http', request }
    }
  }
}
