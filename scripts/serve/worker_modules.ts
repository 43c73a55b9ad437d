/**
 * Loads the modules that `main` of the configuration names, and puts them in front of the services of the launcher.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Bindings, HostedService } from '#services/system/bindings.ts'
import { SERVICE_NAMES, type Config, type ServiceName } from '#services/system/settings.ts'
import { OPEN, type AvisoWorker, type WorkerModule } from '#services/system/worker.ts'
import type { CronEvent } from '#services/system/system.ts'
import { toFetchHandler, toRequest, type Answer, type FetchHandler, type Handler } from '#shared/handler.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The modules that come with the program, by the `main` that means them wherever the configuration is. */
const SHIPPED: Readonly<Record<string, () => Promise<unknown>>> = {
  'services/rest/worker.ts': () => import('#services/rest/worker.ts'),
  'services/auth/worker.ts': () => import('#services/auth/worker.ts'),
  'services/admin/worker.ts': () => import('#services/admin/worker.ts'),
  'services/monitoring/worker.ts': () => import('#services/monitoring/worker.ts'),
  'services/runs/worker.ts': () => import('#services/runs/worker.ts'),
}

/** What `main` named before there were worker modules. */
const HANDLER_MODULE = /^(?:\.\/)?services\/(?:rest|auth|admin|monitoring)\/handler\.ts$/

/** A module and where it came from. */
export type LoadedModules = ReadonlyMap<ServiceName, WorkerModule>

/** Where `main` leads to: a module that is shipped, or a file beside the configuration. */
export function findMain(
  main: string,
  { service, config }: { readonly service: ServiceName; readonly config: string },
): { readonly shipped: string } | { readonly file: string } {
  const file = resolve(dirname(resolve(config)), main)
  const isOld = HANDLER_MODULE.test(main)
  const name = isOld ? `services/${service}/worker.ts` : main.replace(/^\.\//, '')
  const isShipped = Object.hasOwn(SHIPPED, name) && (!existsSync(file) || file === join(ROOT, name))
  if (isOld || isShipped) return { shipped: name }
  return { file }
}

/**
 * Loads the modules of services.
 *
 * @param services Those that are started.
 * @param file Path of the configuration; `main` is beside it.
 * @param problems Gets a line for each module that is missing, or is none.
 */
export async function loadModules(
  config: Config,
  services: readonly ServiceName[],
  { file, problems }: { readonly file: string; readonly problems: string[] },
): Promise<LoadedModules> {
  const modules = new Map<ServiceName, WorkerModule>()
  for (const service of SERVICE_NAMES.filter((name) => services.includes(name))) {
    const { main } = config.workers[service]
    const module = await loadModule(main, { service, config: file }).catch((error: unknown) => {
      problems.push(`workers.${service}.main: "${main}" ${reasonOf(error)}`)
    })
    if (module === undefined) continue
    const worker = workerOf(module)
    if (worker === undefined)
      problems.push(
        `workers.${service}.main: "${main}" is no worker module: it has no default export with a function fetch, such as export default { fetch(request, env, ctx) {…} }`,
      )
    else modules.set(service, worker)
  }
  return modules
}

async function loadModule(
  main: string,
  place: { readonly service: ServiceName; readonly config: string },
): Promise<unknown> {
  const found = findMain(main, place)
  if ('shipped' in found) return SHIPPED[found.shipped]?.()
  if (!existsSync(found.file)) throw new MissingModule()
  return import(pathToFileURL(found.file).href)
}

class MissingModule extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof MissingModule)
    return `is not there: name a module beside the configuration file, or one of ${Object.keys(SHIPPED).join(', ')}`
  return `cannot be loaded: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'it threw'}`
}

function workerOf(module: unknown): WorkerModule | undefined {
  const worker: unknown = member(module, 'default')
  return isWorker(worker) ? worker : undefined
}

function isWorker(value: unknown): value is WorkerModule {
  return typeof member(value, 'fetch') === 'function'
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined
}

function isOurs(module: WorkerModule): module is AvisoWorker {
  return OPEN in module
}

/** The execution context of a module. What a module waits for goes on anyway, because a process is not ended after an answer. */
const CONTEXT = {
  waitUntil: (work: Promise<unknown>): void => void Promise.resolve(work).catch(() => undefined),
  passThroughOnException: (): void => undefined,
}

/** The variables of a service as its entry has them, which its module gets as bindings. */
export function varsOf(given: Bindings, service: ServiceName): Bindings {
  const vars = member(member(member(given, 'workers'), service), 'vars')
  return typeof vars === 'object' && vars !== null ? { ...vars } : {}
}

/** The bindings `services` of a worker, each with the place of the called one among those that run. */
export function callsOf(
  { workers }: Config,
  caller: ServiceName,
  running: readonly ServiceName[],
): Readonly<Record<string, number>> {
  const names = running.map((service) => workers[service].name)
  return Object.fromEntries(
    workers[caller].services.map(({ binding, service }) => [binding, names.indexOf(service)]),
  )
}

/** The bindings `services` of a worker: other workers that its module calls with a standard request. */
export function serviceBindings(
  { workers }: Config,
  caller: ServiceName,
  only: (service: ServiceName) => Handler,
): Bindings {
  const bound = workers[caller].services.flatMap(({ binding, service: name }) => {
    const called = SERVICE_NAMES.find((service) => workers[service].name === name)
    if (called === undefined) return []
    let fetch: FetchHandler | undefined
    // Made with the first call, because the services are not put together yet.
    return [
      [binding, { fetch: (request: Request) => (fetch ??= toFetchHandler(only(called)))(request) }] as const,
    ]
  })
  return Object.fromEntries(bound)
}

/** A module with what it is called with. */
export interface Placed {
  readonly module: WorkerModule
  readonly hosted: HostedService
  /** Its bindings, besides the service itself. */
  readonly env: Bindings
}

/** Puts a module in front of its service. @param onFailure Answers when the module throws, or gives no answer. */
export function inFrontOf({ module, hosted, env }: Placed, onFailure: (error: unknown) => Answer): Handler {
  if (isOurs(module)) return module[OPEN](hosted)
  const bindings = { ...env, AVISO_SERVICE: hosted }
  return async (request) => {
    try {
      return toAnswer(await module.fetch(toRequest(request), bindings, CONTEXT))
    } catch (error) {
      return onFailure(error)
    }
  }
}

/** Runs the cron trigger of a module; of the service itself where the module has none. Never rejects where the module does not. */
export async function runScheduled({ module, hosted, env }: Placed, event: CronEvent): Promise<void> {
  if (module.scheduled === undefined) return hosted.scheduled(event)
  await module.scheduled(event, { ...env, AVISO_SERVICE: hosted }, CONTEXT)
}

/** @throws {TypeError} for what is no response. */
function toAnswer(response: unknown): Answer {
  if (!(response instanceof Response)) throw new TypeError('The module gave no Response')
  return { status: response.status, headers: Object.fromEntries(response.headers), body: response.body }
}
