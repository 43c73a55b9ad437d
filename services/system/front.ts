/**
 * Puts several worker modules behind one address, as an edge proxy would. What is of no module, such as `/readyz`, is answered by the host
 * of all services.
 *
 * @module
 */

import { rawPath } from '#shared/http/route.ts'
import { hostNamespace, type Bindings } from './bindings.ts'
import { cronRequest, toHost } from './durable_host.ts'
import { createRouteTable } from './routes.ts'
import type { WorkerModule } from './worker.ts'

/** A module and its routes. */
export interface RoutedModule {
  readonly routes: readonly string[]
  readonly module: WorkerModule
  /** Its own variables, which it gets beside the bindings of all. */
  readonly vars: Bindings
  /** Its bindings `services`: the place of the called module in the list. */
  readonly calls: Readonly<Record<string, number>>
}

/**
 * Makes the module in front. It needs the binding `AVISO_HOST`.
 *
 * @param modules Those that are started.
 */
export function createFront(modules: readonly RoutedModule[]): WorkerModule {
  const table = createRouteTable<RoutedModule>()
  for (const routed of modules) for (const route of routed.routes) table.set(route, routed)
  /** What modules are called with: the bindings of all, and what Cloudflare gives beside them. */
  interface Beside {
    readonly env: unknown
    readonly context: unknown
  }
  const call = (called: RoutedModule, request: Request, beside: Beside): ReturnType<WorkerModule['fetch']> =>
    called.module.fetch(
      request,
      { ...called.vars, ...callsOf(called, beside), ...Object(beside.env) },
      beside.context,
    )
  const callsOf = ({ calls }: RoutedModule, beside: Beside): Bindings =>
    Object.fromEntries(
      Object.entries(calls).flatMap(([binding, index]) => {
        const called = modules[index]
        if (called === undefined) return []
        return [[binding, { fetch: (request: Request) => call(called, request, beside) }]]
      }),
    )
  return {
    fetch: (request, env, context) => {
      const routed = table.find(rawPath(request.url))
      if (routed !== undefined) return call(routed, request, { env, context })
      const host = hostNamespace(env)
      if (host === undefined) throw new TypeError('AVISO_HOST is not bound')
      return toHost(host, request, 'all')
    },
    scheduled: async ({ cron, scheduledTime }, env) => {
      const host = hostNamespace(env)
      if (host !== undefined) await toHost(host, cronRequest({ cron, scheduledTime }), 'cron')
    },
  }
}
