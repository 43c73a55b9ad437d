/**
 * Runs loads in this process, where there is no compiler for the generator in C.
 *
 * @module
 */

import type { ListenLoad, Load, LoadPlan, LoadResult, LoadRun, PostLoad } from './generator.ts'
import { openConnection, runLoad, type Answer, type HttpConnection } from './http_load.ts'
import { openListeners, type Listeners } from './listeners.ts'
import { monotonicMs } from './notifications.ts'
import { NO_SAMPLES, toPercentiles } from './statistics.ts'

/** Where numbers stand in a body, as in the source of the generator in C. */
const PLACES = /%{12}|#{10}|@{10}|@{3,5}|\^{5}|\^{3}/g
const SETTLE_LIMIT_MS = 60_000

/** Numbers of the posts of a run, and when each was due. */
interface Posted {
  next: number
  readonly dueAt: Map<number, number>
}

/** Runs loads over HTTP. @throws {Error} As the generator in C, and for loads of other protocols. */
export async function runFromHere(url: string, plan: LoadPlan, loads: readonly Load[]): Promise<LoadRun> {
  const before = process.cpuUsage()
  const posted: Posted = { next: 0, dueAt: new Map() }
  const streams = new Map<Load, Listeners>()
  const openedAt = performance.now()
  try {
    for (const load of loads)
      if (load.kind === 'listen') streams.set(load, await openStreams(url, load, posted))
    if (streams.size > 0) await plan.onOpen?.()
    const posts = loads.filter((load): load is PostLoad => load.kind === undefined || load.kind === 'post')
    const answered = new Map<Load, LoadResult>()
    await Promise.all(
      posts.map(async (load) => answered.set(load, await postLoad(url, plan.until, load, posted))),
    )
    const results: LoadResult[] = []
    for (const load of loads) {
      const listeners = streams.get(load)
      const result = answered.get(load)
      if (listeners !== undefined && load.kind === 'listen')
        results.push(await settle(listeners, load, { posted, openedAt }))
      else if (result === undefined) throw new Error('Loads of other protocols than HTTP need a compiler, cc')
      else results.push(result)
    }
    if (streams.size > 0) await plan.onSettled?.()
    const { user, system } = process.cpuUsage(before)
    return { results, ownMicros: (user + system) / results.reduce((sum, { count }) => sum + count, 0) }
  } finally {
    for (const listeners of streams.values()) listeners.close()
  }
}

function openStreams(url: string, load: ListenLoad, posted: Posted): Promise<Listeners> {
  const { path, connections: count, isTimed = false, isSparse = false } = load
  return openListeners({
    url,
    count,
    path: (n) =>
      path.replace(/~{3,6}/g, (place) => String(n).padStart(place.length, '0').slice(-place.length)),
    isDense: !isSparse,
    ...(load.after !== undefined && { after: load.after }),
    hasTimes: isTimed,
    timeOf: (number) => posted.dueAt.get(number) ?? Number.NaN,
  })
}

async function settle(
  listeners: Listeners,
  { expect, connections, isTimed = false }: ListenLoad,
  { posted, openedAt }: { readonly posted: Posted; readonly openedAt: number },
): Promise<LoadResult> {
  const each = expect ?? posted.next
  await listeners.settled(each, SETTLE_LIMIT_MS)
  const seconds = (performance.now() - openedAt) / 1_000
  const { reads, bytes } = listeners
  const count = each * connections
  const latencyMs = isTimed ? listeners.takeLatencies() : NO_SAMPLES
  return { count, seconds, perSecond: count / seconds, latencyMs, reads, bytes }
}

/** Posts one load. @throws {Error} When an answer was no success. */
async function postLoad(
  url: string,
  until: number | Promise<unknown>,
  load: PostLoad,
  posted: Posted,
): Promise<LoadResult> {
  let revision = load.revision ?? 0
  if (!load.body.includes('%'.repeat(12))) posted.next = Math.max(posted.next, revision)
  const take = ({ status, body }: Answer): boolean => {
    revision = Math.max(revision, Number(/"revision":"(\d+)"/.exec(body)?.[1] ?? 0))
    return status >= 200 && status <= 299
  }
  let number = posted.next
  const show = (place: string): string => {
    if (place.startsWith('%')) return String(revision + 1)
    if (place.startsWith('#')) {
      number = posted.next++
      posted.dueAt.set(number, monotonicMs())
    }
    const { modulo = 1 } = load
    if (place === '^^^') return String(number % modulo).padStart(3, '0')
    if (place.startsWith('^'))
      return String(Math.floor(number / modulo))
        .padStart(5, '0')
        .slice(-5)
    const digits = String(number).padStart(10, '0')
    return place.length === 4 ? digits.slice(1, 5) : digits.slice(-place.length)
  }
  const next = (): string => load.body.replace(PLACES, show)
  const { ratePerSecond } = load
  if (ratePerSecond !== undefined) return postPaced(url, until, { ...load, ratePerSecond }, { next, take })
  if (load.requests !== undefined) return postSome(url, load, load.requests, { next, take })
  if (typeof until !== 'number') throw new TypeError('A load without a rate ends after a time')
  const posts = { url: url + load.path, body: next, connections: load.connections, durationMs: until }
  const { calls, perSecond, latencyMs } = await runLoad({
    ...posts,
    accept: take,
    ...(load.headers !== undefined && { headers: load.headers }),
  })
  return { count: calls, seconds: calls / perSecond, perSecond, latencyMs, reads: calls, bytes: 0 }
}

/** The next body, and whether an answer is right. */
interface Talk {
  next(): string
  take(answer: Answer): boolean
}

/** Posts a number of requests as fast as the connections allow. */
async function postSome(
  url: string,
  { path, headers, connections }: PostLoad,
  requests: number,
  { next, take }: Talk,
): Promise<LoadResult> {
  const latencies: number[] = []
  let sent = 0
  const startedAt = performance.now()
  const work = async (): Promise<void> => {
    const connection = await openConnection(url + path, headers)
    while (sent++ < requests) {
      const sentAt = performance.now()
      const answer = await connection.post(next())
      if (!take(answer))
        throw new Error(`${url}${path} answered ${answer.status}: ${answer.body.slice(0, 300)}`)
      latencies.push(performance.now() - sentAt)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, work))
  return resultOf(latencies, startedAt)
}

function resultOf(latencies: readonly number[], startedAt: number): LoadResult {
  const seconds = (performance.now() - startedAt) / 1_000
  const { length: count } = latencies
  return {
    count,
    seconds,
    perSecond: count / seconds,
    latencyMs: toPercentiles(latencies),
    reads: count,
    bytes: 0,
  }
}

/** Posts at a steady rate. A request does not wait for the answer to the one before, so a slow answer does not lower the load. */
async function postPaced(
  url: string,
  until: number | Promise<unknown>,
  {
    path,
    headers,
    connections: count,
    ratePerSecond,
    requests = Number.POSITIVE_INFINITY,
  }: PostLoad & { readonly ratePerSecond: number },
  { next, take }: Talk,
): Promise<LoadResult> {
  const open = (): Promise<HttpConnection> => openConnection(url + path, headers)
  const connections = await Promise.all(Array.from({ length: count }, open))
  const latencies: number[] = []
  const answers = new Set<Promise<void>>()
  let isEnded = false
  if (requests === Number.POSITIVE_INFINITY) {
    const end = typeof until === 'number' ? new Promise((done) => setTimeout(done, until)) : until
    void end.finally(() => (isEnded = true)).catch(() => undefined)
  }
  const startedAt = performance.now()
  for (let due = 0, sent = 0; !isEnded && sent < requests; due++) {
    const dueAt = startedAt + (due * 1_000) / ratePerSecond
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    // Take the connection that was idle longest, because the server closes those that are idle for a minute.
    const connection = connections.shift()
    // When all connections wait for answers, this request is skipped. The delay shows in the waiting ones.
    if (connection === undefined) continue
    sent++
    const answer = connection.post(next()).then((received) => {
      if (!take(received))
        throw new Error(`${url}${path} answered ${received.status}: ${received.body.slice(0, 300)}`)
      latencies.push(performance.now() - dueAt)
      connections.push(connection)
    })
    answers.add(answer)
    void answer.finally(() => answers.delete(answer)).catch(() => undefined)
  }
  await Promise.all(answers)
  const result = resultOf(latencies, startedAt)
  for (const connection of connections) connection.close()
  return result
}
