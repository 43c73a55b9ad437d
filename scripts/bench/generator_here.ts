/**
 * Runs loads in this process, where there is no compiler for the generator in C.
 *
 * @module
 */

import type { PostLoad, PostResult } from './generator.ts'
import { openConnection, runLoad, type Answer, type HttpConnection } from './http_load.ts'
import { toPercentiles } from './statistics.ts'

/** Where numbers stand in a body, as in the source of the generator in C. */
const PLACES = /%{12}|#{10}|@{5}|@{4}/g

/**
 * Posts one load.
 *
 * @throws {Error} when an answer was not 200
 */
export async function postFromHere(
  url: string,
  until: number | Promise<unknown>,
  load: PostLoad,
): Promise<PostResult> {
  let number = -1
  let revision = load.revision ?? 0
  const accept = ({ status, body }: Answer): boolean => {
    revision = Math.max(revision, Number(/"revision":"(\d+)"/.exec(body)?.[1] ?? 0))
    return status === 200
  }
  const next = (): string =>
    load.body.replace(PLACES, (place) => {
      if (place.startsWith('%')) return String(revision + 1)
      if (place.startsWith('#')) return String(++number).padStart(10, '0')
      const digits = String(number).padStart(9, '0')
      return place.length === 5 ? digits.slice(-5) : digits.slice(-9, -5)
    })
  const { ratePerSecond } = load
  if (ratePerSecond !== undefined) return postPaced(url, until, { ...load, ratePerSecond }, next)
  if (typeof until !== 'number') throw new TypeError('A load without a rate ends after a time')
  const posts = { url: url + load.path, body: next, connections: load.connections, durationMs: until }
  const { calls, perSecond, latencyMs } = await runLoad({
    ...posts,
    accept,
    ...(load.headers !== undefined && { headers: load.headers }),
  })
  return { count: calls, perSecond, latencyMs }
}

/** Posts at a steady rate. A request does not wait for the answer to the one before, so a slow answer does not lower the load. */
async function postPaced(
  url: string,
  until: number | Promise<unknown>,
  { path, headers, connections: count, ratePerSecond }: PostLoad & { readonly ratePerSecond: number },
  next: () => string,
): Promise<PostResult> {
  const open = (): Promise<HttpConnection> => openConnection(url + path, headers)
  const connections = await Promise.all(Array.from({ length: count }, open))
  const latencies: number[] = []
  const answers = new Set<Promise<void>>()
  let isEnded = false
  const end = typeof until === 'number' ? new Promise((done) => setTimeout(done, until)) : until
  void end.finally(() => (isEnded = true)).catch(() => undefined)
  const startedAt = performance.now()
  for (let sent = 0; !isEnded; sent++) {
    const dueAt = startedAt + (sent * 1_000) / ratePerSecond
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    // Take the connection that was idle longest, because the server closes those that are idle for a minute.
    const connection = connections.shift()
    // When all connections wait for answers, this request is skipped. The delay shows in the waiting ones.
    if (connection === undefined) continue
    const answer = connection.post(next()).then(({ status, body }) => {
      if (status !== 200) throw new Error(`${url}${path} answered ${status}: ${body.slice(0, 300)}`)
      latencies.push(performance.now() - dueAt)
      connections.push(connection)
    })
    answers.add(answer)
    void answer.finally(() => answers.delete(answer)).catch(() => undefined)
  }
  await Promise.all(answers)
  const seconds = (performance.now() - startedAt) / 1_000
  for (const connection of connections) connection.close()
  const { length } = latencies
  return { count: length, perSecond: length / seconds, latencyMs: toPercentiles(latencies) }
}
