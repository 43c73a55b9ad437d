/**
 * Loads of products of runs, and what they take.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import schemas from '#shared/notification/schemas/ecmwf.json' with { type: 'json' }
import configuration from '../../wrangler-like.config.json' with { type: 'json' }
import { SHIPPED } from '#shared/runs/shipped.ts'
import { runPosts, type PostLoad } from './generator.ts'
import { dailyNotification, EVENT } from './notifications.ts'
import type { BenchProcess } from './processes.ts'
import { PUBLISH_PATH, type Configuration } from './systems.ts'

const CONNECTIONS = 64
/** Connections that publish batches. Each has another domain, so that its products are others. */
const DOMAINS = ['g', 'e', 'n'] as const
/** Products are counted, and their runs looked at, some 70 ms later: see the limits of the service. */
const SETTLE_MS = 200

/** An event type that differs from {@link EVENT} in its name alone. */
export const OTHER_EVENT = 'sram'

/** Writes a schema file of both event types into a folder. @returns the configuration, which follows the runs of one of them, or of none */
export async function writeTwoEvents(folder: string, followed?: string): Promise<Configuration> {
  const file = join(folder, 'two.json')
  const { version, payload, mars } = schemas
  const endpoint = mars.endpoint.map((each) => ({ ...each, base: each.base.replace(EVENT, OTHER_EVENT) }))
  await writeFile(
    file,
    JSON.stringify({ version, payload, [EVENT]: mars, [OTHER_EVENT]: { ...mars, endpoint } }),
  )
  const vars = { ...configuration.vars, schemas: [file] }
  const runs = followed !== undefined && { runs: { [followed]: SHIPPED.get(EVENT) } }
  return { ...configuration, vars: { ...vars, ...runs } }
}

/** What is published: products of so many runs in turns, some in a request. */
export interface Shape {
  readonly name: string
  /** Keys of another stream are other keys. */
  readonly stream: string
  readonly openRuns: number
  readonly isBatch: boolean
  /** Whether the aims are for it. */
  readonly isReal: boolean
}

/**
 * Streams and members of a centre are a few dozen runs at a time. With a thousand, none of what a product needs is still in the processor's
 * cache when the next one of its run comes: the worst that there is.
 */
export const SHAPES: readonly Shape[] = [50, 1_000].flatMap((openRuns, place) =>
  [false, true].map((isBatch) => ({
    stream: ['oper', 'wave', 'enfo', 'waef'][2 * place + Number(isBatch)] ?? '',
    name: `${isBatch ? `batches of 80 to 120, ${DOMAINS.length} connections` : `singles, ${CONNECTIONS} connections`}, ${openRuns} runs at a time`,
    openRuns,
    isBatch,
    isReal: openRuns === 50,
  })),
)

/** What one load took. */
export interface Load {
  readonly notifications: number
  readonly seconds: number
  /** Seconds of processor time. */
  readonly processor: number
}

/** What some loads gave. */
export interface Cost {
  readonly perSecond: number
  /** Of processor time, per notification. */
  readonly micros: number
}

/** The cost of loads that are counted together. */
export function costOf(loads: readonly Load[]): Cost {
  const sum = (value: (load: Load) => number): number => loads.reduce((all, load) => all + value(load), 0)
  const notifications = sum((load) => load.notifications)
  return {
    perSecond: notifications / sum(({ seconds }) => seconds),
    micros: (sum(({ processor }) => processor) * 1e6) / notifications,
  }
}

/**
 * Loads whose products are of the same runs, with other steps in each: as a day goes on, and without so many runs that the oldest are let go.
 */
const LOADS_OF_RUNS = 3
/** More than a load publishes. */
const NUMBERS_OF_A_LOAD = 33_000

/** Which products to publish. */
export interface Products {
  readonly stream: string
  /** A digit. Runs of another one are other runs. */
  readonly group: number
  /** Default: that of all notifications of the benchmark. */
  readonly event?: string
  readonly domain?: string
}

/** Products of runs of today, one run after the other. All runs have the same steps, as those of a centre do. */
export function productOfToday({ stream, group, event = EVENT, domain = DOMAINS[0] }: Products): string {
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  return dailyNotification()
    .replace(`"event":"${EVENT}"`, `"event":"${event}"`)
    .replace(/"date":"\d+"/, `"date":"${today}"`)
    .replace('"domain":"g"', `"domain":"${domain}"`)
    .replace('"stream":"oper"', `"stream":"${stream}"`)
    .replace('"expver":"0@@@"', `"expver":"${group}^^^"`)
    .replace('"step":"@@@@@"', '"step":"^^^^^"')
}

/**
 * Notifications in a request: another number on each connection, and in each load. With one number, each batch takes as much memory as the one
 * before, and V8 collects garbage at the same point of a batch each time, with many live objects or with few: two processes that differed in
 * nothing but that differed by 4 %, and with one connection, one that followed runs was faster by 6 % than one that did not.
 */
const BATCHES = [80, 88, 96, 104, 112, 120] as const

/** What to publish, and how long. */
export interface LoadRequest {
  readonly shape: Shape
  readonly event: string
  readonly durationMs: number
  /** Loads before this one. No two of a shape have a key in common: a centre's keys are new, and one that is not costs the store a page. */
  readonly serial: number
}

/** Publishes as fast as the process can. */
export async function publishProducts(process: BenchProcess, request: LoadRequest): Promise<Load> {
  const before = process.cpuSeconds()
  const loads = postsOf(request)
  const results = await runPosts(process.url, request.durationMs, loads)
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  const processor = process.cpuSeconds() - before
  const counts = results.map(({ count }, place) => count * (loads[place]?.perRequest ?? 1))
  return {
    notifications: counts.reduce((sum, count) => sum + count, 0),
    seconds: Math.max(...results.map(({ seconds }) => seconds)),
    processor,
  }
}

function postsOf({ shape, event, serial }: LoadRequest): readonly PostLoad[] {
  const { openRuns, isBatch, stream } = shape
  const products = { stream, group: Math.ceil(serial / LOADS_OF_RUNS), event }
  const common = {
    path: PUBLISH_PATH,
    modulo: openRuns,
    revision: (serial % LOADS_OF_RUNS) * NUMBERS_OF_A_LOAD,
  }
  if (!isBatch) return [{ ...common, body: productOfToday(products), connections: CONNECTIONS }]
  return DOMAINS.map((domain, place) => {
    const one = productOfToday({ ...products, domain })
    const size = BATCHES[(serial + 2 * place) % BATCHES.length] ?? 1
    const body = `[${Array.from({ length: size }, () => one).join(',')}]`
    return { ...common, body, connections: 1, perRequest: size }
  })
}
