/**
 * Finds routes of the configuration at which a service of ours answers nothing.
 *
 * @module
 */

import type { Config, ServiceName } from '#services/system/settings.ts'
import { closest } from '#shared/closest.ts'
import defaultConfig from '../../wrangler-like.config.json' with { type: 'json' }

/** @returns a line for each route that is wrong. Those of an operator's own module are not judged. */
export function checkRoutes(config: Config, services: readonly ServiceName[]): readonly string[] {
  return services.flatMap((name) => {
    const { main, routes } = config.workers[name]
    const ours = defaultConfig.workers[name]
    if (main !== ours.main) return []
    return routes.flatMap((route, index) => {
      if (ours.routes.some((known) => meet(route, known))) return []
      const meant = closest(route, ours.routes)
      const hint =
        meant === undefined ? `it answers at ${ours.routes.join(', ')}` : `did you mean "${meant}"?`
      return [`workers.${name}.routes.${index}: the service has nothing at "${route}": ${hint}`]
    })
  })
}

/** Whether a path may be under both. */
function meet(one: string, other: string): boolean {
  return isUnder(one, other) || isUnder(other, one)
}

/** Whether each path under `route` is under `wider`. A route may end with `*`. */
function isUnder(route: string, wider: string): boolean {
  return route === wider || (wider.endsWith('*') && route.startsWith(wider.slice(0, -1)))
}
