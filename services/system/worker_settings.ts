/**
 * The settings of the services, each as a worker: their `vars`, and what wrangler deploys them with.
 *
 * @module
 */

import * as v from 'valibot'
import { ADMIN_SERVICE, adminTriggers, adminVars } from '#services/admin/settings.ts'
import { authVars } from '#services/auth/settings.ts'
import { MONITORING_SERVICE, monitoringVars } from '#services/monitoring/settings.ts'
import { restVars } from '#services/rest/settings.ts'
import { RUNS_SERVICE, runsVars } from '#services/runs/settings.ts'
import { section } from '#shared/config/section.ts'
import { listenPort } from '#shared/config/shapes.ts'

const routePattern = v.pipe(
  v.string(),
  v.regex(/^\/(?:[A-Za-z0-9._~-]+\/?)*\*?$/, 'A route is a path such as /api/v1/watch, or ends in /*'),
)

/** As wrangler has it. */
export const compatibilityDate = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\d$/, 'A date is written as 2026-01-01'),
  v.description('Date of the behaviour of workerd. Default: the one that this version is tested with'),
)
/** As wrangler has them. */
export const compatibilityFlags = v.pipe(
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

/** All services of this version. */
export const workers = section({
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
})
