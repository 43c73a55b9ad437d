/**
 * Settings of the monitoring service: `workers.monitoring.vars`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { httpUrl, secretName } from '#shared/config/shapes.ts'
import { udpAddress } from '#shared/observe/telemetry/settings.ts'

/** These defaults are 1.x's. */
const RESPONSE_SECONDS = { warning: 10, critical: 20 }
const PODS = { warning: 2, critical: 1 }
const REPORT_MINUTES = 4
/** Checks of 1.x, which Opsview accepts. It refuses others until an operator adds them there. */
const CHECKS_OF_1 = [
  'rest_resp_time',
  'rest_error_log',
  'rest_pod_available',
  'auth_resp_time',
  'auth_error_log',
  'auth_pod_available',
  'etcd_store_size',
  'etcd_cluster_status',
  'etcd_error_log',
]

const seconds = v.pipe(v.number(), v.minValue(0.001), v.maxValue(86_400), v.metadata({ unit: 'seconds' }))

const responseTime = v.pipe(
  section({
    warning: v.pipe(seconds, v.description('The check warns above this')),
    critical: v.pipe(seconds, v.description('The check is critical above this')),
  }),
  v.check(({ warning, critical }) => warning <= critical, 'warning must not be above critical'),
)

const etcd = section({
  urls: v.pipe(v.array(httpUrl), v.minLength(1), v.maxLength(9), v.description('Addresses of the members')),
  expectedMembers: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.maxValue(9),
      v.metadata({ unit: 'members' }),
      v.description('Members that the cluster should have. Default: as many as there are addresses'),
    ),
  ),
})

const pods = section({
  url: v.pipe(httpUrl, v.description('Address of kube-state-metrics, without /metrics')),
  namespace: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[a-z0-9-]{1,63}$/, 'A Kubernetes namespace has 1 to 63 lower-case letters, digits or dashes'),
      v.description('Kubernetes namespace of the services'),
    ),
    'aviso',
  ),
  tokenEnv: v.optional(
    v.pipe(secretName, v.description('Secret with the bearer token. Default: none is sent')),
  ),
  warning: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.metadata({ unit: 'pods' }),
      v.description('The check warns at this many pods of a service, or fewer'),
    ),
    PODS.warning,
  ),
  critical: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.metadata({ unit: 'pods' }),
      v.description('The check is critical at this many pods of a service, or fewer'),
    ),
    PODS.critical,
  ),
})

/** A server that gets the checks. */
export const opsviewServer = section({
  url: v.pipe(httpUrl, v.description('Address of the REST API of Opsview')),
  username: v.pipe(
    v.string(),
    v.regex(/^[!-~]{1,128}$/, 'A name has 1 to 128 ASCII characters without spaces'),
    v.description('User that logs in'),
  ),
  passwordEnv: v.pipe(secretName, v.description('Secret with the password')),
  serviceHost: v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(256),
    v.description('Host that Opsview shows the checks under'),
  ),
  everyMinutes: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(60),
      v.metadata({ unit: 'minutes' }),
      v.description('Time between two reports'),
    ),
    REPORT_MINUTES,
  ),
  checks: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string(),
          v.regex(/^[a-z_]{1,64}$/, 'The name of a check has lower-case letters and underscores'),
        ),
      ),
      v.description('Names of the checks that are reported'),
    ),
    CHECKS_OF_1,
  ),
})

export const monitoringVars = section({
  udp: v.optional(
    v.pipe(udpAddress, v.description('Where datagrams of services are received. Default: nowhere')),
  ),
  telemetryTokenEnv: v.optional(
    v.pipe(
      secretName,
      v.description(
        'Secret with the token of services that send telemetry over HTTP. Default: no service may',
      ),
    ),
  ),
  windowMinutes: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(60),
      v.metadata({ unit: 'minutes' }),
      v.description('The checks judge the durations and log lines of this time'),
    ),
    5,
  ),
  usersWindowHours: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(168),
      v.metadata({ unit: 'hours' }),
      v.description('Users are counted over this time'),
    ),
    24,
  ),
  pollSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(5),
      v.maxValue(3_600),
      v.metadata({ unit: 'seconds' }),
      v.description('Time between two polls of etcd and Kubernetes'),
    ),
    60,
  ),
  restResponseSeconds: v.optional(
    v.pipe(responseTime, v.description('Thresholds for the slowest answer of the ingest')),
    RESPONSE_SECONDS,
  ),
  authResponseSeconds: v.optional(
    v.pipe(responseTime, v.description('Thresholds for the slowest answer of the listening service')),
    RESPONSE_SECONDS,
  ),
  etcd: v.optional(
    v.pipe(
      v.nullable(etcd),
      v.description('The etcd to watch; null: none. Default: the store, if it is etcd'),
    ),
  ),
  pods: v.optional(
    v.pipe(pods, v.description('kube-state-metrics, to count the pods of the services. Default: not asked')),
  ),
  opsview: v.optional(
    v.pipe(
      v.array(opsviewServer),
      v.maxLength(10),
      v.description('Servers that get the checks as passive check results'),
    ),
    [],
  ),
})

export type MonitoringVars = v.InferOutput<typeof monitoringVars>

/** The service's entry when the configuration file does not mention it. */
export const MONITORING_SERVICE = {
  name: 'aviso-monitoring',
  main: 'services/monitoring/worker.ts',
  routes: ['/api/v1/telemetry', '/api/v1/monitoring/*'],
}
