/**
 * Makes our configuration from one of aviso-server 2.x. What has no counterpart is told, and what would make the services behave otherwise
 * is a problem.
 *
 * @see `docs/src/configuration-reference.md` of aviso-server
 * @module
 */

import ours from '../../../wrangler-like.config.json' with { type: 'json' }
import { isLoopback } from '#shared/config/shapes.ts'
import type { Document2x } from './document.ts'
import { importAccess, type Access2x } from './import_access.ts'
import { importBackend, type Retention2x } from './import_backend.ts'
import { importSchemas } from './import_schemas.ts'
import { openSection, type Report, type Section } from './section.ts'

/** What comes of a configuration of 2.x. */
export interface Imported {
  /** Our configuration file. It is not for use where there are problems. */
  readonly config: object
  /** The schema, which stays in the form of 2.x. */
  readonly schema: object
  /** Names of secrets → those that the document holds. Our configuration has the names alone. */
  readonly secrets: ReadonlyMap<string, string>
  /** What has no counterpart, in words: a line for each reason. */
  readonly notes: readonly string[]
  /** What cannot be taken over: place, reason and remedy. */
  readonly problems: readonly string[]
}

/** 2.x's own default, which its clients see as `source`. */
const BASE_URL = 'http://localhost'
/** Bounds of our settings. More frequent heartbeats and shorter streams harm no client of 2.x: it comes back by itself. */
const MAX_HEARTBEAT_SECONDS = 60
const MAX_STREAM_SECONDS = 86_400
const LEVELS: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
}

/**
 * Makes the configuration.
 *
 * @param schemaFile Name that our configuration gives the file of the schema.
 */
export function importConfig(document: Document2x, schemaFile: string): Imported {
  const report: Report = { notes: [], problems: [] }
  const top = openSection(document, '', report)
  const application = top.section('application')
  const dev = importAddress(application)
  const schemas = importSchemas(top, report)
  const access = importAccess(top, { schemas, isOpenAddress: !isLoopback(dev.host ?? ours.dev.host) })
  const retention = importBackend(top.section('notification_backend'), schemas)
  const watch = importWatch(top.section('watch_endpoint'))
  const config = {
    name: ours.name,
    compatibility_date: ours.compatibility_date,
    vars: varsOf({ top, application, schemaFile, access, retention }),
    dev: { ...ours.dev, ...dev },
    workers: workersOf({ watch, retention, metricsPort: importMetrics(top.section('metrics'), dev.port) }),
  }
  application.close()
  top.close()
  return { config, schema: schemas.file, secrets: access.secrets, ...report }
}

function importAddress(application: Section): { readonly host?: string; readonly port?: number } {
  const host = application.text('host')
  const port = application.number('port')
  application.leaveOut(
    ['static_files_path', 'homepage'],
    'there is no such page here: "/" answers with a short text',
  )
  return { ...(host !== undefined && { host }), ...(port !== undefined && { port }) }
}

interface VarsParts {
  readonly top: Section
  readonly application: Section
  readonly schemaFile: string
  readonly access: Access2x
  readonly retention: Retention2x
}

function varsOf({ top, application, schemaFile, access, retention }: VarsParts): object {
  const logging = top.section('logging')
  const level = logging.text('level') ?? 'info'
  const logLevel = Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined
  if (logLevel === undefined)
    logging.note('level', `"${level}" is none of ${Object.keys(LEVELS).join(', ')}: info counts`)
  logging.leaveOut(['format'], 'log records are always lines of JSON')
  logging.leaveOut(['otlp'], 'records are not exported: collect the lines of standard error')
  logging.close()
  return {
    store: retention.store,
    schemas: [schemaFile],
    baseUrl: (application.text('base_url') ?? BASE_URL).replace(/\/+$/, ''),
    logLevel: logLevel ?? 'info',
    ...access.vars,
  }
}

/** Settings of streams. */
type Watch2x = Readonly<Partial<Record<'heartbeatSeconds' | 'streamMaxAgeSeconds', number>>>

function importWatch(watch: Section): Watch2x {
  const heartbeat = watch.number('sse_heartbeat_interval_sec')
  const maxAge = watch.number('connection_max_duration_sec')
  if (heartbeat !== undefined && heartbeat > MAX_HEARTBEAT_SECONDS)
    watch.note('sse_heartbeat_interval_sec', `heartbeats come every ${MAX_HEARTBEAT_SECONDS} s`)
  if (maxAge !== undefined && maxAge > MAX_STREAM_SECONDS)
    watch.note(
      'connection_max_duration_sec',
      `streams end after ${MAX_STREAM_SECONDS} s, and clients come back`,
    )
  watch.leaveOut(
    ['replay_batch_size', 'replay_batch_delay_ms', 'concurrent_notification_processing'],
    'replays are read as fast as the client reads them',
  )
  watch.leaveOut(
    ['max_historical_notifications'],
    'a replay is whole here, however long, unless the event type has a max_historical_notifications of its own',
  )
  watch.close()
  return {
    ...(heartbeat !== undefined && {
      heartbeatSeconds: Math.max(1, Math.min(heartbeat, MAX_HEARTBEAT_SECONDS)),
    }),
    ...(maxAge !== undefined && { streamMaxAgeSeconds: Math.max(1, Math.min(maxAge, MAX_STREAM_SECONDS)) }),
  }
}

/** @returns the port on which metrics are read alone */
function importMetrics(metrics: Section, main: number | undefined): number | undefined {
  const isEnabled = metrics.flag('enabled') === true
  const port = metrics.number('port')
  metrics.leaveOut(['host'], 'metrics.port listens on application.host: let only your Prometheus reach it')
  metrics.close()
  if (isEnabled && port === undefined) metrics.problem('port', 'give the port, as 2.x asks for')
  if (isEnabled && port === 0) metrics.problem('port', 'give a port of its own, and not 0')
  if (isEnabled && port !== undefined && port === main)
    metrics.problem('port', `it is application.port (${port}), too: give it another one`)
  return isEnabled ? port : undefined
}

interface WorkersParts {
  readonly watch: Watch2x
  readonly retention: Retention2x
  readonly metricsPort: number | undefined
}

function workersOf({ watch, retention, metricsPort }: WorkersParts): object {
  const { rest, auth, admin, monitoring } = ours.workers
  return {
    rest,
    auth: { ...auth, vars: { ...auth.vars, ...watch } },
    admin: { ...admin, vars: { ...admin.vars, ...retention.vars } },
    monitoring: { ...monitoring, ...(metricsPort !== undefined && { dev: { port: metricsPort } }) },
  }
}
