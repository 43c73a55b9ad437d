/**
 * Generates the reference of metrics from their registrations in a process with every service.
 *
 * @module
 */

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { registerRunMetrics } from '#services/runs/run_metrics.ts'
import { createInstruments } from '#services/system/instruments.ts'
import { startSystemMonitoring } from '#services/system/monitoring.ts'
import { loadConfig, type Config } from '#services/system/settings.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { silentLogger } from '#shared/logger.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createRegistry, type MetricFamily } from '#shared/observe/metrics/registry.ts'
import { observeWorkers } from '#shared/observe/metrics/observe_workers.ts'
import type { UdpPower } from '#shared/runtime/runtime.ts'
import { createSecretReader } from '#shared/secret.ts'
import { createMemoryStore } from '../../tests/support/memory_store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { code, generatedDocument, table } from './markdown.ts'

const INTRODUCTION = `\`GET /metrics\` answers these. The name on the page has a suffix: \`_total\` for a counter, \`_info\` for an info,
\`_bucket\`, \`_sum\` and \`_count\` for a histogram. A metric without a value is left out.`

/** All metrics, by the processes that have them. */
export interface AllMetrics {
  /** Metrics of every process. */
  readonly everywhere: readonly MetricFamily[]
  /** Further metrics of a process with the monitoring service. */
  readonly monitoring: readonly MetricFamily[]
  /** Further metrics of the first of several workers. */
  readonly workers: readonly MetricFamily[]
  /** Further metrics of a process with the service of runs, where runs are configured. */
  readonly runs: readonly MetricFamily[]
}

/** Collects all metrics, also those without samples. */
export async function allMetrics(): Promise<AllMetrics> {
  const store = createMemoryStore({ clock: systemClock })
  const common = {
    config: fullConfig(),
    clock: systemClock,
    logger: silentLogger,
    udp: silentUdp,
    readSecret: createSecretReader({}),
  }
  const instruments = createInstruments({
    ...common,
    services: ['rest', 'auth'],
    store,
    identity: { hostname: 'reference' },
    version: '0',
    usage: () => ({ residentBytes: 1, cpuSeconds: 1 }),
    accept: undefined,
  })
  const { metrics } = instruments
  const everywhere = await metrics.collect()
  const schemas = createBuiltinSchemas()
  const monitoring = startSystemMonitoring({
    ...common,
    metrics,
    store,
    schemas,
    access: createOpenAccess(),
    random: () => 'id',
  })
  const all = await metrics.collect()
  const ofWorkers = createRegistry()
  observeWorkers(ofWorkers, () => ({ ended: 0, silent: 0 }))
  const withRuns = createRegistry()
  registerRunMetrics(withRuns, {
    current: () => undefined,
    hidden: [],
    dates: new Map(),
    isPublishing: () => false,
    dropped: () => 0,
  })
  await monitoring.close()
  await instruments.close()
  await store.close()
  const known = new Set(everywhere.map(({ name }) => name))
  return {
    everywhere,
    monitoring: all.filter(({ name }) => !known.has(name)),
    workers: await ofWorkers.collect(),
    runs: await withRuns.collect(),
  }
}

/** The shipped configuration, with all parts switched on that have their own metrics. */
function fullConfig(): Config {
  const config = loadConfig(JSON.stringify(configFile), 'wrangler-like.config.json')
  const { monitoring } = config.workers
  const vars = { ...monitoring.vars, udp: { host: '127.0.0.1', port: 1 } }
  return { ...config, workers: { ...config.workers, monitoring: { ...monitoring, vars } } }
}

/** A stand-in for UDP that sends and receives nothing. */
const silentUdp: UdpPower = {
  openSender: () => ({ send: (_datagram, done) => done(false), close: () => undefined }),
  openReceiver: () => Promise.resolve({ port: 1, close: () => Promise.resolve() }),
}

/** The text of `services/monitoring/METRICS.md`. */
export async function metricsText(): Promise<string> {
  const { everywhere, monitoring, workers, runs } = await allMetrics()
  return generatedDocument('Metrics', 'the registrations in `services` and `shared/observe/metrics`', [
    INTRODUCTION,
    '## Every process',
    familyTable(everywhere),
    '## The monitoring service',
    familyTable(monitoring),
    '## The first of several workers',
    familyTable(workers),
    '## The service of runs, with vars.runs',
    familyTable(runs),
  ])
}

function familyTable(families: readonly MetricFamily[]): string {
  const rows = families
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, kind, labels, help }) => [code(name), kind, labels.map(code).join(', '), help])
  return table(['name', 'type', 'labels', 'meaning'], rows)
}
