/**
 * Runs a further worker: its listeners stand on the hub of the first worker, or on the same etcd. It takes orders from the first one.
 *
 * @module
 */

import { rmSync } from 'node:fs'
import process from 'node:process'
import type { Config, ServiceName } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { createElsewhere, type CountedOne, type ToldElsewhere } from '#shared/access/quota/elsewhere.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { toResponse, type HandlerRequest } from '#shared/handler.ts'
import type { LocalClient } from '#shared/runtime/local_client.ts'
import type { Store } from '#shared/store/store.ts'
import { createRelayedStore } from '#shared/store/etcd/relayed_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { launch, openPorts, type LaunchParts } from '../launch.ts'
import type { Ready } from '../preflight.ts'
import { createReload, keepRereading, type ReloadParts } from '../reload.ts'
import { isEmbedded, servicesOfFurther } from './count.ts'
import { createDoors, DOOR, LIFE, NUMBER, type Door } from './doors.ts'
import { createFarQuotas } from './far_quotas.ts'
import { requestTo } from './figures.ts'
import { createHandOn } from './hand_on.ts'
import { inBatches } from './in_batches.ts'
import { followOrders, type Order } from './orders.ts'
import type { QuotaAnswer, QuotaAsk } from './quota_door.ts'
import { connectTo, FIRST, SOCKET_MODE, socketOf, type WorkerPlace } from './place.ts'

/** A worker that takes connections before it can answer refuses them, so it waits for its store. A store that does not answer is no reason to wait for ever. */
const READY_LIMIT_MS = 5000
/** Longest time from the order to stop to the exit. The first worker waits a little longer. */
const STOP_LIMIT_MS = 14_000
/** Signals are for the first worker, which hands on what they mean. A terminal and systemd send them to all. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface FurtherRun {
  readonly place: WorkerPlace
  readonly launchParts: LaunchParts
  readonly again: Omit<ReloadParts, 'system'>
  /** Why the services did not start; never where they run. */
  readonly failureOf: (system: System) => Promise<AvisoError>
}

/** @returns the exit code */
export async function runFurther(
  ready: Ready,
  { place, launchParts, again, failureOf }: FurtherRun,
): Promise<number> {
  for (const signal of SIGNALS) process.on(signal, () => undefined)
  const { number, folder } = place
  const { platform, logger, services } = launchParts
  const config = withPorts(ready.config, place)
  const here = servicesOfFurther(config, services)
  const first = connectTo(platform, socketOf(folder, FIRST))
  const handOn = createHandOn({
    config,
    services,
    here,
    isWritable: !isEmbedded(config),
    first,
    random: platform.random,
    logger,
  })
  const tellCounted = inBatches((counted: readonly CountedOne[]) => sendCounted(first, place.life, counted))
  const elsewhere = createElsewhere((one) => void tellCounted(one))
  const launched = await launch(
    { ...ready, config },
    {
      ...launchParts,
      services: here,
      elsewhere,
      further: {
        store: isEmbedded(config) ? storeOn(first, launchParts) : undefined,
        handOn,
        acceptElsewhere: (message) => void tell(first, { door: 'telemetry', body: message }),
        quotas: createFarQuotas(inBatches((asked) => askQuotas(first, place.life, asked))),
      },
    },
  )
  const { system } = launched
  const failed = failureOf(system)
  const orders = followOrders(process.stdin, (order) =>
    follow(order, { system, elsewhere, reload: createReload({ ...again, system }) }),
  )
  await Promise.race([system.ready.catch(() => undefined), systemClock.sleep(READY_LIMIT_MS), orders])
  const { servers } = await openPorts(launched, {
    config,
    services,
    platform,
    isShared: true,
    passed: place.passed,
  })
  const doors = await platform.serve(createDoors({ system, all: system.handle, only: system.only }), {
    path: socketOf(folder, number),
    mode: SOCKET_MODE,
  })
  const stopRereading = keepRereading(again)
  await tell(first, { door: 'listening', headers: { [NUMBER]: String(number) } })
  const end = await Promise.race([orders, failed])
  stopRereading()
  setTimeout(() => process.exit(1), STOP_LIMIT_MS)
  const close = (): Promise<unknown> => Promise.all([...servers, doors].map((server) => server.close()))
  // The port is needed by who starts the service again.
  if (end === 'first worker gone') await close()
  await system.close()
  await close()
  // One that is killed leaves it.
  if (end === 'first worker gone') rmSync(folder, { recursive: true, force: true })
  return end === 'stop' ? 0 : 1
}

/** The configuration with the ports that are open already, where it leaves them to the system. */
function withPorts(config: Config, { ports }: WorkerPlace): Config {
  const own = (name: ServiceName) => {
    const port = ports.own[name]
    return port === undefined ? {} : { dev: { port } }
  }
  const { rest, auth, admin, monitoring, runs } = config.workers
  return {
    ...config,
    dev: { ...config.dev, port: ports.common ?? config.dev.port },
    workers: {
      rest: { ...rest, ...own('rest') },
      auth: { ...auth, ...own('auth') },
      admin: { ...admin, ...own('admin') },
      monitoring: { ...monitoring, ...own('monitoring') },
      runs: { ...runs, ...own('runs') },
    },
  }
}

/** The hub of the first worker as a store. It is only read. */
function storeOn(first: LocalClient, { platform, logger }: LaunchParts): Store {
  const fetch: LocalClient['fetch'] = (url, request) =>
    first.fetch(url, { ...request, headers: { ...request.headers, [DOOR]: 'relay' } })
  return createRelayedStore({
    endpoints: ['http://localhost'],
    fetch,
    watchFetch: fetch,
    clock: systemClock,
    random: platform.random,
    logger,
  })
}

/** @throws {AvisoError} `ERR_STORE_UNAVAILABLE` where the first worker does not answer. */
async function askQuotas(
  first: LocalClient,
  life: number,
  asked: readonly QuotaAsk[],
): Promise<readonly QuotaAnswer[]> {
  // The client of a request may leave: what is taken is taken all the same, and given back.
  const { signal } = new AbortController()
  const body = toBytes(JSON.stringify(asked))
  const request = requestTo('quota', signal, { [LIFE]: String(life) })
  const answer = toResponse(await first.send(withBody(request, body)))
  if (!answer.ok)
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'Another worker cannot count; try again in a moment')
  return (await answer.json()) as readonly QuotaAnswer[]
}

function withBody(request: HandlerRequest, body: Uint8Array): HandlerRequest {
  return { ...request, method: 'POST', body: new Blob([new Uint8Array(body)]).stream() }
}

/** What orders are about. */
interface Ordered {
  readonly system: System
  readonly elsewhere: ToldElsewhere
  readonly reload: () => Promise<void>
}

function follow(order: Order, { system, elsewhere, reload }: Ordered): void {
  switch (order.kind) {
    case 'reload':
      return void reload()
    case 'drain':
      return void system.drain(order.ms)
    case 'counted':
      for (const one of order.counted) elsewhere.take(one)
      return
    case 'stop':
  }
}

/** Tells the first worker what was counted here; it tells the others. */
async function sendCounted(
  first: LocalClient,
  life: number,
  counted: readonly CountedOne[],
): Promise<readonly undefined[]> {
  const body = toBytes(JSON.stringify(counted))
  await tell(first, { door: 'counted', headers: { [LIFE]: String(life) }, body })
  return counted.map(() => undefined)
}

/** What the first worker is told. */
interface Told {
  readonly door: Door
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** Tells the first worker something. One that does not answer is about to end, and this worker learns it otherwise. */
async function tell(first: LocalClient, { door, headers, body }: Told): Promise<void> {
  const request = requestTo(door, new AbortController().signal, headers)
  await first.send(body === undefined ? request : withBody(request, body)).catch(() => undefined)
}
