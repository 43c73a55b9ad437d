/**
 * The configuration file's shape: `wrangler-like.config.json`, checked by valibot; types are inferred from it.
 *
 * @module
 */

import * as v from 'valibot'
import { DEFAULT_ADMIN_SERVICE, adminTriggers, adminVars } from './admin.ts'
import { identityConfig, policyConfig, quotaConfig } from './access.ts'
import { DEFAULT_MONITORING_SERVICE, monitoringVars, telemetryVars } from './monitoring.ts'

/** Seconds a stream lives at most: 2.x's default, so that its clients see what they expect. */
const DEFAULT_STREAM_MAX_AGE_SECONDS = 3600
/** Below Bun's and most proxies' idle limits of 8-10 s. */
const DEFAULT_HEARTBEAT_SECONDS = 5
/** Recent history kept in memory for returning listeners. */
const DEFAULT_RING_MEBIBYTES = 32
const DEFAULT_MAX_STREAMS = 10_000
/** Long enough to tell a stalled reader from a slow one, short enough to free its socket. */
const DEFAULT_STALL_SECONDS = 60

const routePattern = v.pipe(
  v.string(),
  v.regex(/^\/(?:[A-Za-z0-9._~-]+\/?)*\*?$/, 'A route is a path such as /api/v1/watch, or ends in /*'),
)

/** One field value of `skips`: raw values as providers send them. */
const skips = v.record(v.string(), v.array(v.union([v.string(), v.number()])))

const restVars = v.strictObject({
  /** Notifications whose field has one of these raw values are answered 200 and not stored. */
  skips: v.optional(skips, {}),
  /** Refuse (409) a repeated CloudEvents source and id with other content, instead of storing it as new. */
  strictIds: v.optional(v.boolean(), false),
})

const authVars = v.strictObject({
  heartbeatSeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(60)), DEFAULT_HEARTBEAT_SECONDS),
  streamMaxAgeSeconds: v.optional(
    v.pipe(v.number(), v.minValue(1), v.maxValue(86_400)),
    DEFAULT_STREAM_MAX_AGE_SECONDS,
  ),
  stallSeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3600)), DEFAULT_STALL_SECONDS),
  ringMebibytes: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(4096)), DEFAULT_RING_MEBIBYTES),
  maxStreams: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), DEFAULT_MAX_STREAMS),
})

function service<const Vars extends v.GenericSchema>(vars: Vars) {
  return v.strictObject({
    name: v.string(),
    /** Module of the handler; for people and for deployment tools. */
    main: v.string(),
    routes: v.array(routePattern),
    /** Own port instead of the common one. */
    port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))),
    vars: v.optional(vars, {}),
  })
}

const adminService = v.strictObject({
  ...service(adminVars).entries,
  triggers: v.optional(adminTriggers, {}),
})

const logLevel = v.picklist(['debug', 'info', 'warn', 'error'])

const shared = v.pipe(
  v.strictObject({
    /** `embedded:`, `embedded:memory`, `http://a:2379,http://b:2379`, `grpc://a:2379`; another Aviso, `http://host:8080`. */
    store: v.optional(v.string(), 'embedded:'),
    /** Names of shipped schemas (`flight`, `ecmwf`) or paths of schema files. */
    schemas: v.optional(v.pipe(v.array(v.string()), v.minLength(1)), ['flight', 'ecmwf']),
    /** Service whose files in the store hold the schema, e.g. `aviso/v1`: it then counts instead of `schemas`, and its changes at once. */
    schemaService: v.optional(v.string()),
    /** Public address: the `source` of delivered CloudEvents. Default: the address the launcher listens on. */
    baseUrl: v.optional(v.pipe(v.string(), v.url())),
    logLevel: v.optional(logLevel, 'info'),
    /** Where services send what they measure, besides answering `/metrics`; absent: to the monitoring of the same process, if there is one. */
    telemetry: v.optional(telemetryVars),
    /** Who is believed; `none`: everybody may do everything, on loopback only. */
    identity: v.optional(identityConfig, 'none'),
    policy: v.optional(policyConfig, {}),
    quota: v.optional(quotaConfig, {}),
    /** Where it is put down who did what, `-` for standard output; absent: nowhere. */
    audit: v.optional(v.strictObject({ file: v.pipe(v.string(), v.minLength(1)) })),
    /** etcd user; the password is read from the environment variable named here. */
    storeUser: v.optional(v.strictObject({ name: v.string(), passwordEnv: v.string() })),
    /** Environment variable with the bearer token for a store that is another Aviso, which is then only read. */
    storeTokenEnv: v.optional(v.string()),
  }),
  v.check(
    ({ storeUser, storeTokenEnv }) => storeUser === undefined || storeTokenEnv === undefined,
    'Give storeUser where the store is etcd, or storeTokenEnv where it is another Aviso, not both',
  ),
)

const dev = v.strictObject({
  host: v.optional(v.string(), '127.0.0.1'),
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)), 8080),
  /** Folder of the embedded store. */
  data: v.optional(v.string(), 'data'),
})

/** The whole file, with an environment's overlay already merged in. */
export const configSchema = v.strictObject({
  $schema: v.optional(v.string()),
  name: v.string(),
  compatibility_date: v.optional(v.string()),
  vars: v.optional(shared, {}),
  dev: v.optional(dev, {}),
  services: v.strictObject({
    rest: service(restVars),
    auth: service(authVars),
    admin: v.optional(adminService, DEFAULT_ADMIN_SERVICE),
    monitoring: v.optional(service(monitoringVars), DEFAULT_MONITORING_SERVICE),
  }),
})

export type Config = v.InferOutput<typeof configSchema>
export type ServiceName = keyof Config['services']

/** Every service this version has. */
export const SERVICE_NAMES: readonly ServiceName[] = ['rest', 'auth', 'admin', 'monitoring']
