/**
 * Measures the users of streams: how many different ones there are at each collection.
 *
 * @module
 */

import type { Metrics } from './metrics.ts'

/** A stream that is open, as far as it is measured here. */
export interface OpenStreamUser {
  readonly who: string
  /** A route of {@link STREAM_ROUTES}. */
  readonly route: string
}

/** Registers the metric. @returns a function that takes the open streams of this process */
export function createUserMetrics(metrics: Metrics): (list: () => Iterable<OpenStreamUser>) => void {
  let open: () => Iterable<OpenStreamUser> = () => []
  metrics.read({
    kind: 'gauge',
    name: 'aviso_sse_unique_users_active',
    help: 'Different users with an open stream, by route; all that are nameless count as one',
    labels: ['route'],
    read: () => {
      const users = new Map<string, Set<string>>()
      for (const { who, route } of open()) {
        const known = users.get(route) ?? new Set()
        users.set(route, known.add(who))
      }
      return [...users].map(([route, names]) => ({ value: names.size, values: [route] }))
    },
  })
  return (list) => {
    open = list
  }
}
