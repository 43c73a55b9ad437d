/**
 * The instruments of a system: one registry of metrics, the collectors of 1.x, and the channels for telemetry. Services are measured from
 * outside, at their ports, and would run the same without instruments.
 *
 * @module
 */

import type { Config, ServiceName } from './settings.ts'
import type { Access } from '#shared/access/access.ts'
import { AvisoError, isAvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import type { Answer, Handler, HandlerRequest } from '#shared/handler.ts'
import type { Route } from '#shared/http/route.ts'
import { createHttpMetrics } from '#shared/observe/metrics/observe_http.ts'
import { createHubObserver, createSentCounter } from '#shared/observe/metrics/observe_deliveries.ts'
import { createHubMetrics } from '#shared/observe/metrics/observe_streams.ts'
import { createUserMetrics, type OpenStreamUser } from '#shared/observe/metrics/observe_users.ts'
import { observeProcess } from '#shared/observe/metrics/observe_process.ts'
import { createPublisherMetrics } from '#shared/observe/metrics/observe_publisher.ts'
import { observeStore, type BackendOperations } from '#shared/observe/metrics/observe_store.ts'
import { formatMetrics, METRICS_MEDIA_TYPE, metricsFormatOf } from '#shared/observe/metrics/open_metrics.ts'
import { createRegistry, type MetricFamily, type MetricsRegistry } from '#shared/observe/metrics/registry.ts'
import { sumFamilies } from '#shared/observe/metrics/sum.ts'
import { spanPublisher } from '#shared/observe/metrics/span_publisher.ts'
import type { Publisher } from '#shared/publish/publish.ts'
import type { ProcessUsage, UdpPower } from '#shared/runtime/runtime.ts'
import { parseStoreAddress, type StoreAddress } from '#shared/store/open/address.ts'
import type { Store } from '#shared/store/store.ts'
import {
  createHttpChannel,
  createLocalChannel,
  createUdpChannel,
  joinChannels,
  type TelemetryChannel,
  type TelemetryFetch,
} from '#shared/observe/telemetry/channel.ts'
import type { Clock } from '#shared/time/clock.ts'
import {
  createTimeCollector,
  createUniqueCollector,
  type TimeCollector,
} from '#shared/observe/telemetry/collectors.ts'
import { sendLogLines } from '#shared/observe/telemetry/log_lines.ts'
import type { Logger } from '#shared/logger.ts'
import type { ReadSecret } from '#shared/secret.ts'
import type { Tracer } from '#shared/observe/telemetry/tracing.ts'
import { createTraceBook, type TraceBook } from '#shared/observe/telemetry/trace_book.ts'
import { DEFAULT_TELEMETRY } from '#shared/observe/telemetry/settings.ts'
import { startTransmitter } from '#shared/observe/telemetry/transmitter.ts'
import { createPositionMetrics, type ForeignPosition } from '#shared/observe/metrics/observe_positions.ts'
import { MAX_GENERIC_EVENTS } from '#shared/notification/aviso2/generic_bound.ts'
import type { Hub, HubObserver } from '#shared/hub/hub.ts'

/** What the runtime may provide to the instruments. */
export interface InstrumentPowers {
  readonly udp?: UdpPower
  readonly usage?: () => ProcessUsage
  readonly fetch?: TelemetryFetch
  /** Collects spans; absent: no spans are made. */
  readonly tracer?: Tracer | undefined
  /** Finds the secrets that the configuration names. */
  readonly readSecret: ReadSecret
}

export interface InstrumentParts extends InstrumentPowers {
  readonly config: Config
  readonly services: readonly ServiceName[]
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly identity: { readonly hostname: string }
  readonly version: string
  /** The counters of identity and policy; absent: none. */
  readonly accessCounts?: () => Readonly<Record<string, number>>
  /** What the other workers of this launcher have measured; absent: there are none. */
  readonly otherFamilies?: (() => Promise<readonly (readonly MetricFamily[])[]>) | undefined
  /** Takes telemetry messages when the monitoring runs in this process, or in one that is asked for it. */
  readonly accept: ((message: Uint8Array) => void) | undefined
}

/** The instruments of one process. */
export interface Instruments {
  readonly metrics: MetricsRegistry
  /** The store, measured. */
  readonly store: Store
  /** The times of recent notifications that this process has seen. */
  readonly traces: TraceBook
  publisher(publisher: Publisher): Publisher
  /** Counts a refusal of the ingest. @param event The event type; `generic` where there is none that a schema has. */
  onRefused(code: AvisoErrorCode, event: string): void
  /** Counts operations in the words of 2.x. */
  readonly operations: BackendOperations
  /** Is told how many event types without a schema were published. */
  genericEvents(count: () => number): void
  /** Is told where the open streams are found, to count their users. */
  streams(list: () => Iterable<OpenStreamUser>): void
  hub(hub: Hub): Hub
  /** Counts a position of a listener that this store never gave out. */
  readonly onForeignPosition: (code: ForeignPosition, event: string) => void
  readonly hubObserver: HubObserver
  /** Access for listening, measured. */
  listening(access: Access): Pick<Access, 'forListening'>
  /** @param route A route of the configuration. */
  handler(service: ServiceName | undefined, route: string, handler: Handler): Handler
  logger(service: ServiceName): Logger
  /** `GET /metrics`. */
  readonly route: Route
  /** Sends the remaining telemetry, within two seconds. */
  close(): Promise<void>
}

/** Starts measuring. */
export function createInstruments(parts: InstrumentParts): Instruments {
  const { clock, config, identity } = parts
  // First, because an invalid configuration is refused here, before anything runs.
  const channel = openChannel(parts)
  const metrics = createRegistry()
  const stopProcess = observeProcess({ ...parts, metrics })
  const { store, operations } = observeStore(parts.store, { metrics, clock, backend: backendOf(config.vars) })
  const http = createHttpMetrics(metrics, clock)
  registerChannel(metrics, channel)
  const times: Partial<Record<ServiceName, TimeCollector>> = {
    rest: createTimeCollector('rest_resp_time'),
    auth: createTimeCollector('auth_resp_time'),
  }
  const users = createUniqueCollector('auth_users_counter')
  const transmitters = startTransmitters(parts, channel, { times, users })
  const traces = createTraceBook()
  const publishing = createPublisherMetrics({ metrics, clock, traces, operations })
  const refusals = metrics.counter({
    name: 'aviso_notifications_refused',
    help: "Notifications and requests that the ingest refused because of the provider's fault, by error code",
    labels: ['code'],
  })
  const sent = createSentCounter(metrics)
  const hub = createHubMetrics({ metrics, clock, sent })
  const hubObserver = createHubObserver({ metrics, clock, traces, tracer: parts.tracer, sent })
  registerAccess(metrics, parts.accessCounts)
  return {
    metrics,
    store,
    traces,
    publisher: (publisher) => {
      const measured = publishing.observe(publisher)
      return parts.tracer === undefined ? measured : spanPublisher(measured, parts.tracer)
    },
    onRefused: (code, event) => {
      refusals.add([code])
      publishing.rejected(event)
    },
    operations,
    genericEvents: registerGenericEvents(metrics),
    streams: createUserMetrics(metrics),
    hub,
    onForeignPosition: createPositionMetrics({ metrics, clock, logger: parts.logger }),
    hubObserver,
    listening: createListeningMetrics({
      metrics,
      mode: modeOf(config.vars),
      clock,
      times: times.auth,
      onUser: users.observe,
    }),
    handler: (service, route, handler) => {
      const collector = service === undefined ? undefined : times[service]
      return http.observe(route, handler, collector === undefined ? {} : { collector })
    },
    logger: (service) =>
      sendLogLines(parts.logger, {
        channel,
        component: config.workers[service].name,
        hostname: identity.hostname,
        clock,
      }),
    route: {
      method: 'GET',
      path: '/metrics',
      doc: 'metrics',
      handle: (request) => page(metrics, request, parts.otherFamilies),
    },
    async close() {
      stopProcess()
      for (const transmitter of transmitters) transmitter.close()
      await channel.close()
    },
  }
}

/** @returns what takes the function that counts them */
function registerGenericEvents(metrics: MetricsRegistry): Instruments['genericEvents'] {
  let generic: (() => number) | undefined
  metrics.read({
    kind: 'gauge',
    name: 'aviso_generic_event_types',
    help: `Event types without a schema that this process has published; at most ${MAX_GENERIC_EVENTS}`,
    read: () => (generic === undefined ? [] : [{ value: generic() }]),
  })
  return (count) => {
    generic = count
  }
}

interface Collectors {
  readonly times: Partial<Record<ServiceName, TimeCollector>>
  readonly users: ReturnType<typeof createUniqueCollector>
}

function startTransmitters(
  { config, services, clock, identity }: InstrumentParts,
  channel: ReturnType<typeof openChannel>,
  { times, users }: Collectors,
): readonly ReturnType<typeof startTransmitter>[] {
  return services.flatMap((service) => {
    const collector = times[service]
    if (collector === undefined) return []
    return startTransmitter({
      collectors: service === 'auth' ? [collector, users] : [collector],
      channel,
      clock,
      component: config.workers[service].name,
      hostname: identity.hostname,
      everySeconds: (config.vars.telemetry ?? DEFAULT_TELEMETRY).everySeconds,
    })
  })
}

async function page(
  metrics: MetricsRegistry,
  request: HandlerRequest,
  otherFamilies: InstrumentParts['otherFamilies'],
): Promise<Answer> {
  const format = metricsFormatOf(request.headers.get('accept'))
  const [own, others = []] = await Promise.all([metrics.collect(), otherFamilies?.()])
  return {
    status: 200,
    headers: { 'content-type': METRICS_MEDIA_TYPE[format], 'cache-control': 'no-store' },
    body: formatMetrics(sumFamilies([own, ...others]), format),
  }
}

const BACKENDS: Readonly<Record<StoreAddress['kind'], string>> = {
  embedded: 'embedded',
  http: 'etcd',
  gateway: 'etcd',
  grpc: 'etcd-grpc',
}

function backendOf({ store, storeTokenEnv }: Config['vars']): string {
  return storeTokenEnv === undefined ? BACKENDS[parseStoreAddress(store).kind] : 'aviso'
}

function openChannel(parts: InstrumentParts): TelemetryChannel {
  const { telemetry } = parts.config.vars
  // A configured address gets the telemetry, even if it is the UDP port of the monitoring in this process.
  if (telemetry === undefined)
    return joinChannels(parts.accept === undefined ? [] : [createLocalChannel(parts.accept)])
  const { udp, http } = telemetry
  const channels: TelemetryChannel[] = []
  if (udp !== undefined) {
    if (parts.udp === undefined)
      throw new AvisoError(
        'ERR_CONFIG',
        'vars.telemetry.udp: this runtime has no UDP; use vars.telemetry.http',
      )
    channels.push(createUdpChannel(parts.udp.openSender(udp)))
  }
  if (http !== undefined) {
    const token = parts.readSecret(http.tokenEnv, 'token')
    const fetch = parts.fetch ?? ((url, init) => globalThis.fetch(url, init))
    channels.push(createHttpChannel({ url: http.url, token, fetch, clock: parts.clock }))
  }
  return joinChannels(channels)
}

function registerChannel(metrics: MetricsRegistry, channel: TelemetryChannel): void {
  metrics.read({
    kind: 'counter',
    name: 'aviso_telemetry_messages',
    help: 'Telemetry messages of this process, by outcome',
    labels: ['outcome'],
    read: () => {
      const { sent, dropped } = channel.status()
      return [
        { value: sent, values: ['sent'] },
        { value: dropped, values: ['dropped'] },
      ]
    },
  })
}

/** How the counters of lists of destinations begin. */
const ECPDS = 'ecpds_'

function registerAccess(
  metrics: MetricsRegistry,
  counts: InstrumentParts['accessCounts'] = () => ({}),
): void {
  metrics.read({
    kind: 'counter',
    name: 'aviso_access_events',
    help: 'Events of identity and policy, by name; "fail_open" stays 0',
    labels: ['event'],
    read: () => readings('', (name) => !name.startsWith(ECPDS)),
  })
  // Names and labels of 2.x, so that its boards find them.
  for (const [name, help] of [
    ['cache_hits', 'Lists of destinations that were remembered'],
    ['cache_misses', 'Lists of destinations that were not remembered'],
  ] as const)
    metrics.read({
      kind: 'counter',
      name: `aviso_${ECPDS}${name}`,
      help,
      read: () =>
        readings(`${ECPDS}${name}`, (each) => each === `${ECPDS}${name}`).map(({ value }) => ({ value })),
    })
  metrics.read({
    kind: 'gauge',
    name: `aviso_${ECPDS}cache_size`,
    help: 'Lists of destinations that are remembered',
    read: () =>
      readings(`${ECPDS}cache_size`, (each) => each === `${ECPDS}cache_size`).map(({ value }) => ({ value })),
  })
  for (const [name, prefix, help] of [
    ['access_decisions', 'access_', 'What came of the lists of destinations'],
    ['fetch', 'fetch_', 'What ECPDS answered; of several servers, the worst that counts'],
  ] as const)
    metrics.read({
      kind: 'counter',
      name: `aviso_${ECPDS}${name}`,
      help,
      labels: ['outcome'],
      read: () => readings(`${ECPDS}${prefix}`, (each) => each.startsWith(`${ECPDS}${prefix}`)),
    })

  /** The counters that are meant, under their names without a prefix. */
  function readings(
    prefix: string,
    isMeant: (name: string) => boolean,
  ): { value: number; values: string[] }[] {
    return Object.entries(counts()).flatMap(([name, value]) =>
      isMeant(name) ? [{ value, values: [name.slice(prefix.length)] }] : [],
    )
  }
}

interface ListeningMetricsParts {
  readonly mode: string
  readonly metrics: MetricsRegistry
  readonly clock: Clock
  readonly times: TimeCollector | undefined
  readonly onUser: (name: string) => void
}

/** Outcomes that have a word in 2.x. */
const OUTCOMES: Readonly<Record<string, string>> = {
  ERR_UNAUTHENTICATED: 'unauthorized',
  ERR_FORBIDDEN: 'forbidden',
  ERR_VERDICT_UNAVAILABLE: 'service_unavailable',
}

/** How identities are found, in the words of 2.x: a server is asked, or tokens are verified here. */
function modeOf({ identity }: Config['vars']): string {
  if (identity === 'none') return 'none'
  return identity.providers.some(({ kind }) => kind === 'auth-o-tron' || kind === 'who-am-i')
    ? 'direct'
    : 'trusted_proxy'
}

/** Registers the metrics. @returns a function that measures verdicts: their outcomes, their time (`att` of 1.x), and their users. */
function createListeningMetrics({
  metrics,
  mode,
  clock,
  times,
  onUser,
}: ListeningMetricsParts): Instruments['listening'] {
  const requests = metrics.counter({
    name: 'aviso_auth_requests',
    help: 'Verdicts on the senders of listening requests, in the words of 2.x or by error code; mode: how identities are found',
    labels: ['mode', 'outcome'],
  })
  // As in 2.x they are there from the start, so that a rule on their rate sees the first one.
  for (const outcome of ['success', ...Object.values(OUTCOMES)]) requests.add([mode, outcome], 0)
  return (access) => ({
    async forListening(request) {
      const startedAt = clock.monotonic()
      try {
        const listener = await access.forListening(request)
        requests.add([mode, 'success'])
        times?.observe((clock.monotonic() - startedAt) / 1_000, 'att')
        onUser(listener.name)
        return listener
      } catch (error) {
        requests.add([mode, isAvisoError(error) ? (OUTCOMES[error.code] ?? error.code) : 'other'])
        throw error
      }
    },
  })
}
