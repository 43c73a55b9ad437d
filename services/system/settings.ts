/**
 * The whole configuration file, `wrangler-like.config.json`: it is composed of the settings of all services, and read here. This folder is
 * the only one that may import every service.
 *
 * @module
 */

import * as v from 'valibot'
import { ADMIN_SERVICE, adminTriggers, adminVars } from '#services/admin/settings.ts'
import { MONITORING_SERVICE, monitoringVars } from '#services/monitoring/settings.ts'
import { RUNS_SERVICE, runsVars } from '#services/runs/settings.ts'
import { restVars } from '#services/rest/settings.ts'
import { authVars } from '#services/auth/settings.ts'
import { identitySettings } from '#shared/access/identity/settings.ts'
import { policySettings } from '#shared/access/policy/settings.ts'
import { quotaSettings } from '#shared/access/quota/settings.ts'
import { loadSettings, readSettings, type ReadSettings } from '#shared/config/load.ts'
import { section } from '#shared/config/section.ts'
import { listenPort, secretName } from '#shared/config/shapes.ts'
import { ANY_ORIGIN } from '#shared/http/pages.ts'
import { telemetrySettings } from '#shared/observe/telemetry/settings.ts'
import { runsShape } from '#shared/runs/expectation_shape.ts'
import { presentForm } from './file_form.ts'

const routePattern = v.pipe(
  v.string(),
  v.regex(/^\/(?:[A-Za-z0-9._~-]+\/?)*\*?$/, 'A route is a path such as /api/v1/watch, or ends in /*'),
)

const compatibilityDate = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\d$/, 'A date is written as 2026-01-01'),
  v.description('Date of the behaviour of workerd. Default: the one that this version is tested with'),
)
const compatibilityFlags = v.pipe(
  v.array(v.string()),
  v.description('Flags of the behaviour of workerd, besides those that this version needs'),
)

const hostBinding = section({
  name: v.pipe(v.literal('AVISO_HOST'), v.description('AVISO_HOST, which the modules read')),
  class_name: v.pipe(v.literal('AvisoHost'), v.description('AvisoHost, the class that runs the services')),
  script_name: v.optional(
    v.pipe(v.string(), v.description('Name of the worker that has the class. Default: this one')),
  ),
})

/** The settings of every service, besides its own `vars`. The names and forms are those of wrangler. */
const serviceEntries = {
  name: v.pipe(v.string(), v.description('Name in telemetry and logs, and of the deployed worker')),
  main: v.pipe(
    v.string(),
    v.description(
      'Worker module that requests come to: a path beside this file, or services/NAME/worker.ts, which comes with the program',
    ),
  ),
  routes: v.pipe(v.array(routePattern), v.description('Paths that the service answers')),
  compatibility_date: v.optional(compatibilityDate),
  compatibility_flags: v.optional(compatibilityFlags),
  dev: v.optional(
    section({
      port: v.optional(
        v.pipe(listenPort, v.description('Port of this service alone. Default: the common port, dev.port')),
      ),
    }),
    {},
  ),
  services: v.optional(
    v.pipe(
      v.array(
        section({
          binding: v.pipe(
            v.string(),
            v.regex(
              /^(?!AVISO_)[A-Za-z_]\w*$/,
              'A binding is a name such as AUTH, and does not begin with AVISO_',
            ),
            v.description('Name that the module finds it by in env'),
          ),
          service: v.pipe(v.string(), v.description('Name of a worker of this file')),
        }),
      ),
      v.description('Other workers that the module calls: env.BINDING.fetch(request)'),
    ),
    [],
  ),
  durable_objects: v.optional(
    section({
      bindings: v.pipe(
        v.array(hostBinding),
        v.maxLength(1),
        v.description(
          'Which deployed worker has the Durable Object. Default: the first one; the others bind it',
        ),
      ),
    }),
  ),
  migrations: v.optional(
    v.pipe(
      v.array(
        section({
          tag: v.pipe(v.string(), v.description('Name of the migration')),
          new_sqlite_classes: v.pipe(v.array(v.literal('AvisoHost')), v.description('AvisoHost')),
        }),
      ),
      v.description('Migrations of the Durable Object, where it is deployed. Default: v1 makes its class'),
    ),
  ),
  limits: v.optional(
    section({
      cpu_ms: v.optional(
        v.pipe(
          v.number(),
          v.integer(),
          v.minValue(1),
          v.maxValue(300_000),
          v.metadata({ unit: 'ms' }),
          v.description('Most processor time of one call, where it is deployed'),
        ),
      ),
    }),
  ),
  observability: v.optional(
    section({
      enabled: v.optional(
        v.pipe(v.boolean(), v.description('Whether the platform keeps logs, where it is deployed')),
      ),
      head_sampling_rate: v.optional(
        v.pipe(
          v.number(),
          v.minValue(0),
          v.maxValue(1),
          v.metadata({ unit: 'of 1' }),
          v.description('Share of the calls that it keeps'),
        ),
      ),
    }),
  ),
}

const rest = section({ ...serviceEntries, vars: v.optional(restVars, {}) })
const auth = section({ ...serviceEntries, vars: v.optional(authVars, {}) })
const admin = section({
  ...serviceEntries,
  vars: v.optional(adminVars, {}),
  triggers: v.optional(adminTriggers, {}),
})
const monitoring = section({ ...serviceEntries, vars: v.optional(monitoringVars, {}) })
const runs = section({ ...serviceEntries, vars: v.optional(runsVars, {}) })

/** An origin of web pages, as browsers write it, or any. */
const pageOrigin = v.pipe(
  v.string(),
  v.check(
    (text) => text === ANY_ORIGIN || isOrigin(text),
    'An origin is a scheme, a host and perhaps a port, without a path, such as https://pages.example.org; * is any',
  ),
)

/** Patterns such as `https://*.example.org` are none: a browser never sends them. */
function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

const storeUser = section({
  name: v.pipe(v.string(), v.description('User of etcd')),
  passwordEnv: v.pipe(secretName, v.description('Secret with the password')),
})

const storeTls = v.pipe(
  section({
    authority: v.optional(
      v.pipe(
        v.string(),
        v.minLength(1),
        v.description(
          'Path of a PEM file with the authorities that are trusted. Default: what the machine trusts',
        ),
      ),
    ),
    certificate: v.optional(
      v.pipe(v.string(), v.minLength(1), v.description('Path of a PEM file with the certificate to show')),
    ),
    key: v.optional(
      v.pipe(v.string(), v.minLength(1), v.description('Path of a PEM file with its private key')),
    ),
  }),
  v.check(
    ({ certificate, key }) => (certificate === undefined) === (key === undefined),
    'Give certificate and key together',
  ),
)

/** Half of the numbers that are exact: the others are for those that follow. */
const MOST_FIRST = 2 ** 52

/** Settings that services share. */
const shared = v.pipe(
  section({
    store: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'Store address: embedded:, embedded:memory, http://a:2379,http://b:2379 for etcd (by gRPC where it answers that; grpc:// or gateway:// for one way alone); http://host:8080 for another Aviso',
        ),
      ),
      'embedded:',
    ),
    storeUser: v.optional(
      v.pipe(storeUser, v.description('User of a store that is etcd. Default: none, etcd without users')),
    ),
    storeTls: v.optional(
      v.pipe(
        storeTls,
        v.description(
          'Certificates for a store at https://, grpcs:// or gateways://. They are read again when they change. Default: what the machine trusts',
        ),
      ),
    ),
    storeTokenEnv: v.optional(
      v.pipe(
        secretName,
        v.description(
          'Secret with the bearer token for a store that is another Aviso. That store is only read. Default: none',
        ),
      ),
    ),
    schemas: v.optional(
      v.pipe(
        v.array(v.string()),
        v.minLength(1),
        v.description(
          'Names of shipped schemas (flight, ecmwf), or paths of schema files: JSON or YAML, of 1.x or 2.x',
        ),
      ),
      ['flight', 'ecmwf'],
    ),
    schemaService: v.optional(
      v.pipe(
        v.string(),
        v.description(
          'Service whose files in the store hold the schema, such as aviso/v1. That schema replaces "schemas", and its changes count at once. Default: none',
        ),
      ),
    ),
    baseUrl: v.optional(
      v.pipe(
        v.string(),
        v.url(),
        v.description(
          'Public address: the `source` of delivered CloudEvents. Without identities, requests for its host are answered too, besides those for loopback. Default: the address that the launcher listens on',
        ),
      ),
    ),
    firstNumbers: v.optional(
      v.pipe(
        v.record(v.string(), v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MOST_FIRST))),
        v.description(
          'Event type → number of its first notification, where numbers go on from another server: one above the last that it gave out. It counts while an event type has no number yet. Default: 1',
        ),
      ),
      {},
    ),
    runs: v.optional(
      v.pipe(
        runsShape,
        v.description(
          'Runs of a forecast: event type → what belongs to a run, and when it is due; true takes what is shipped for mars and dissemination. Their state is published as event type run. Default: none, and there is no event type run',
        ),
      ),
    ),
    allowedOrigins: v.optional(
      v.pipe(
        v.array(pageOrigin),
        v.description(
          'Origins of the web pages that may read answers (CORS). A page of an origin that is named may also publish. Needs identities. Default: pages may read streams that need no credential, as in 2.x, and nothing else',
        ),
      ),
    ),
    console: v.optional(
      v.pipe(
        v.boolean(),
        v.description(
          'Whether browsers get the console at /. It shows people what the API tells them, with their own token. Default: where the public address is one of loopback',
        ),
      ),
    ),
    logLevel: v.optional(
      v.pipe(
        v.picklist(['debug', 'info', 'warn', 'error']),
        v.description('Least important records that are logged, as JSON lines on standard error'),
      ),
      'info',
    ),
    telemetry: v.optional(
      v.pipe(
        telemetrySettings,
        v.description(
          'Where services send telemetry, besides answering /metrics. Default: to the monitoring in the same process, if there is one',
        ),
      ),
    ),
    identity: v.optional(
      v.pipe(
        identitySettings,
        v.description('How users are identified. "none": every request may do everything, on loopback only'),
      ),
      'none',
    ),
    policy: v.optional(
      v.pipe(
        policySettings,
        v.description(
          'Who may do what. Everything that it does not grant is refused. It is read again on SIGHUP, for open streams too',
        ),
      ),
      {},
    ),
    quota: v.optional(v.pipe(quotaSettings, v.description('Limits of one identity or address')), {}),
    audit: v.optional(
      v.pipe(
        section({
          file: v.pipe(
            v.string(),
            v.minLength(1),
            v.description('Path of a file, which gets mode 0600, or - for standard output'),
          ),
        }),
        v.description('Audit log: who did what, as one JSON line each. Default: none'),
      ),
    ),
  }),
  v.check(
    ({ storeUser: user, storeTokenEnv }) => user === undefined || storeTokenEnv === undefined,
    'Give storeUser if the store is etcd, or storeTokenEnv if it is another Aviso, not both',
  ),
  v.forward(
    v.check(
      ({ allowedOrigins, identity }) => allowedOrigins === undefined || identity !== 'none',
      'Without vars.identity every page could do everything here, so only this machine is let in: configure vars.identity, or leave the origins out',
    ),
    ['allowedOrigins'],
  ),
)

/** Longest time that a stop may be put off: service managers give up long before. */
const MOST_DRAIN_SECONDS = 600

/** What Linux takes, without the end of the text. */
const MOST_SOCKET_BYTES = 107

const dev = section({
  host: v.optional(v.pipe(v.string(), v.description('Address to listen on')), '127.0.0.1'),
  port: v.optional(v.pipe(listenPort, v.description('Port to listen on; 0: any free one')), 8080),
  socket: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxBytes(MOST_SOCKET_BYTES, `A path of at most ${MOST_SOCKET_BYTES} bytes`),
      v.description(
        'Path of a Unix socket to listen on, in place of host and port. Its user and group may connect (mode 0660). Default: none',
      ),
    ),
  ),
  data: v.optional(v.pipe(v.string(), v.description('Folder of the embedded store')), 'data'),
  drainSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.maxValue(MOST_DRAIN_SECONDS),
      v.metadata({ unit: 'seconds' }),
      v.description(
        'Time from SIGTERM to the end. /readyz is 503 at once, new work is still served, and the streams end one after another. Service managers must wait for longer than that and 15 s',
      ),
    ),
    0,
  ),
})

/** The whole file, after an environment's overlay was merged in. */
export const configSchema = section({
  $schema: v.optional(v.pipe(v.string(), v.description('JSON Schema of this file, for editors'))),
  name: v.pipe(v.string(), v.description('Name of the system')),
  compatibility_date: v.optional(compatibilityDate),
  compatibility_flags: v.optional(compatibilityFlags),
  vars: v.optional(shared, {}),
  dev: v.optional(v.pipe(dev, v.description('Where the launcher listens, and keeps the embedded store')), {}),
  workers: section({
    rest: v.pipe(rest, v.description('The ingest')),
    auth: v.pipe(auth, v.description('The listening service')),
    admin: v.optional(
      v.pipe(admin, v.description('The admin service: compaction, deletion, configuration')),
      ADMIN_SERVICE,
    ),
    monitoring: v.optional(v.pipe(monitoring, v.description('The monitoring service')), MONITORING_SERVICE),
    runs: v.optional(
      v.pipe(runs, v.description('The service of runs. Without vars.runs it does nothing')),
      RUNS_SERVICE,
    ),
  }),
})

/** Job → its cron; `null`: it runs by hand alone. */
export function schedulesOf({ workers }: Config): Readonly<Record<'compact' | 'clean', string | null>> {
  return workers.admin.vars.jobs
}

export type Config = v.InferOutput<typeof configSchema>
export type ServiceName = keyof Config['workers']

/** Every service of this version. */
export const SERVICE_NAMES: readonly ServiceName[] = ['rest', 'auth', 'admin', 'monitoring', 'runs']

/** Where the launcher listens and keeps the embedded store, unless a file or a flag says otherwise. */
export const DEV_DEFAULTS = v.getDefaults(dev)

/**
 * Reads a configuration file.
 *
 * @param source Name of the file, for messages.
 * @param environment Name of the overlay under `env`.
 * @throws {AvisoError} `ERR_CONFIG` naming the file, the path inside it and the reason.
 */
export function loadConfig(text: string, source: string, environment?: string): Config {
  return loadSettings(configSchema, { text, source, environment, form: presentForm })
}

/** Reads a configuration file as {@link loadConfig} does, and collects what is wrong with it. */
export function readConfig(text: string, source: string, environment?: string): ReadSettings<Config> {
  return readSettings(configSchema, { text, source, environment, form: presentForm })
}
