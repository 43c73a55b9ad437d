/**
 * The configuration of telemetry: what services send (`vars.telemetry`), and the monitoring service (`services.monitoring.vars`).
 *
 * @module
 */

import * as v from 'valibot'

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))
const httpUrl = v.pipe(
  v.string(),
  v.regex(/^https?:\/\/[^\s/]+(?:\/[^\s?#]*[^\s/?#])?$/, 'An http address without a slash at its end'),
)
/** Name of an environment variable that holds a secret. */
const secretEnv = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'The name of an environment variable'),
)
const seconds = v.pipe(v.number(), v.minValue(0.001), v.maxValue(86_400))
const thresholds = v.pipe(
  v.strictObject({ warning: seconds, critical: seconds }),
  v.check(({ warning, critical }) => warning <= critical, 'warning must not be above critical'),
)
/** 1.x's. */
const RESPONSE_SECONDS = { warning: 10, critical: 20 }

/** What services send about themselves, besides answering `/metrics`. */
export const telemetryVars = v.strictObject({
  /** UDP address of a monitoring, 1.x's or ours. */
  udp: v.optional(
    v.strictObject({ host: v.optional(v.string(), '127.0.0.1'), port: v.optional(port, 1111) }),
  ),
  /** Address of a monitoring's `/api/v1/telemetry`, where there is no UDP. */
  http: v.optional(v.strictObject({ url: httpUrl, tokenEnv: secretEnv })),
  /** Seconds between two messages. */
  everySeconds: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(3_600)), 2),
})

/** The monitoring service. */
export const monitoringVars = v.strictObject({
  /** Where datagrams are received; absent: nowhere. */
  udp: v.optional(
    v.strictObject({ host: v.optional(v.string(), '127.0.0.1'), port: v.optional(port, 1111) }),
  ),
  /** Environment variable with the token of services that send by HTTP; absent: nobody may. */
  telemetryTokenEnv: v.optional(secretEnv),
  /** Durations and log lines are judged over this long. */
  windowMinutes: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(60)), 5),
  usersWindowHours: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(168)), 24),
  /** Seconds between two looks at etcd and Kubernetes. */
  pollSeconds: v.optional(v.pipe(v.number(), v.minValue(5), v.maxValue(3_600)), 60),
  restResponseSeconds: v.optional(thresholds, RESPONSE_SECONDS),
  authResponseSeconds: v.optional(thresholds, RESPONSE_SECONDS),
  /** The etcd to watch. Absent: the store, where that is etcd; null: none. */
  etcd: v.optional(
    v.nullable(
      v.strictObject({
        urls: v.pipe(v.array(httpUrl), v.minLength(1), v.maxLength(9)),
        expectedMembers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9))),
      }),
    ),
  ),
  /** kube-state-metrics, to count the pods of the services. */
  pods: v.optional(
    v.strictObject({
      url: httpUrl,
      namespace: v.optional(
        v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,63}$/, 'A Kubernetes namespace')),
        'aviso',
      ),
      tokenEnv: v.optional(secretEnv),
      warning: v.optional(v.pipe(v.number(), v.minValue(0)), 2),
      critical: v.optional(v.pipe(v.number(), v.minValue(0)), 1),
    }),
  ),
  /** Servers that get the checks as passive check results. */
  opsview: v.optional(
    v.pipe(
      v.array(
        v.strictObject({
          url: httpUrl,
          username: v.pipe(v.string(), v.regex(/^[!-~]{1,128}$/, 'A name without spaces')),
          passwordEnv: secretEnv,
          serviceHost: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
          everyMinutes: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(60)), 4),
          /** Names of checks; absent: those that 1.x reports. */
          checks: v.optional(v.array(v.pipe(v.string(), v.regex(/^[a-z_]{1,64}$/, 'The name of a check')))),
        }),
      ),
      v.maxLength(10),
    ),
    [],
  ),
})

/** The service where the file does not name it. */
export const DEFAULT_MONITORING_SERVICE = {
  name: 'aviso-monitoring',
  main: 'services/monitoring/handler.ts',
  routes: ['/api/v1/telemetry', '/api/v1/monitoring/*'],
}
