/**
 * The receiver: takes telemetry messages and log lines, from UDP or HTTP, and keeps what the reports need of them.
 *
 * Flow: rest, auth → **monitoring** → reports
 *
 * @module
 */

import type { Counter, Metrics } from '#shared/observe/metrics/metrics.ts'
import type { Telemetry, TelemetryMessage } from '#shared/observe/telemetry/message.ts'
import type { Clock } from '#shared/time/clock.ts'
import { parseDatagram } from './datagram.ts'
import { createLogBook, LOG_APPS, LOG_LEVELS, type LogBook } from './log_book.ts'
import { createTimeWindow, type TimeWindow } from './time_window.ts'
import { createUserWindow, type UserWindow } from './user_window.ts'

export interface ReceiverParts {
  readonly clock: Clock
  readonly metrics: Metrics
  /** How long durations are kept for reports; milliseconds. */
  readonly windowMs: number
  readonly usersWindowHours: number
}

/** A receiver, with what it keeps. */
export interface Receiver {
  /** Takes one datagram, or one line of an HTTP request. Never throws. @returns whether it was understood */
  accept(datagram: Uint8Array): boolean
  readonly times: TimeWindow
  readonly users: UserWindow
  readonly logs: LogBook
}

/** The telemetry types that services of Aviso send. */
export const REST_RESPONSE = 'rest_resp_time'
export const AUTH_RESPONSE = 'auth_resp_time'
/** A response time that is checked. */
export type ResponseType = typeof REST_RESPONSE | typeof AUTH_RESPONSE
export const AUTH_USERS = 'auth_users_counter'
/** The measurements of Aviso's services. 1.x's auth service adds authentication (`att`), authorisation (`ats`) and backend (`be`). */
const KNOWN_MEASUREMENTS: ReadonlySet<string> = new Set([
  REST_RESPONSE,
  AUTH_RESPONSE,
  ...['att', 'ats', 'be'].map((part) => `${AUTH_RESPONSE}_${part}`),
])

/** Makes an empty receiver. */
export function createReceiver(parts: ReceiverParts): Receiver {
  const { clock, metrics } = parts
  const times = createTimeWindow(parts.windowMs, (measurement) => KNOWN_MEASUREMENTS.has(measurement))
  const users = createUserWindow(parts.usersWindowHours * 3_600_000)
  const logs = createLogBook()
  const received = metrics.counter({
    name: 'aviso_monitoring_messages',
    help: 'Telemetry messages and log lines received, by kind',
    labels: ['kind'],
  })
  const refused = metrics.counter({
    name: 'aviso_monitoring_messages_refused',
    help: 'Received messages that were not understood or exceeded a limit, by reason',
    labels: ['reason'],
  })
  registerReadings(parts, { times, users, logs })
  return {
    times,
    users,
    logs,
    accept(bytes) {
      const datagram = parseDatagram(bytes)
      if (datagram.kind === 'refused') {
        refused.add([datagram.reason])
        return false
      }
      received.add([datagram.kind])
      if (datagram.kind === 'log') logs.add(datagram.line, clock.monotonic())
      else take(datagram.message, { times, users, at: clock.monotonic(), refused })
      return true
    },
  }
}

interface Taking {
  readonly times: TimeWindow
  readonly users: UserWindow
  /** When the message arrived, in monotonic time. The sender's time is not used: it is another clock's and, in 1.x, may be another time zone's. */
  readonly at: number
  readonly refused: Counter
}

function take({ telemetry_type: type, telemetry }: TelemetryMessage, taking: Taking): void {
  const { times, users, at, refused } = taking
  for (const name of measurementsOf(telemetry)) {
    const [count, avg, max, min] = ['counter', 'avg', 'max', 'min'].map(
      (part) => telemetry[`${name}_${part}`],
    )
    const values = telemetry[`${name}_values`]
    if (Array.isArray(values)) {
      if (type === AUTH_USERS) users.add(values as readonly string[], at)
      continue
    }
    const isWhole = [count, avg, max, min].every((value) => typeof value === 'number')
    const durations = { count: Number(count), avg: Number(avg), max: Number(max), min: Number(min) }
    if (!isWhole || !times.add(name, durations, at)) refused.add(['measurement'])
  }
}

/** Names of the measurements in a message: everything before the last `_` of each member. */
function measurementsOf(telemetry: Telemetry): ReadonlySet<string> {
  return new Set(
    Object.keys(telemetry).map((member) => member.slice(0, Math.max(0, member.lastIndexOf('_')))),
  )
}

function registerReadings(
  { clock, metrics, windowMs }: ReceiverParts,
  { times, users, logs }: Omit<Receiver, 'accept'>,
): void {
  metrics.read({
    name: 'aviso_auth_users',
    kind: 'gauge',
    // Name and text are those of 1.x, which also published the users' names.
    help: 'Number of users in the last 24 hours, or the window that is configured',
    read: () => [{ value: users.count(clock.monotonic()) }],
  })
  metrics.read({
    name: 'aviso_monitoring_users_overflows',
    kind: 'counter',
    help: 'Users that were not counted because there are too many',
    read: () => [{ value: users.overflows }],
  })
  metrics.read({
    name: 'aviso_monitoring_log_lines',
    kind: 'counter',
    help: 'Log lines received, by service and level',
    labels: ['app', 'level'],
    read: () =>
      LOG_APPS.flatMap((app) =>
        LOG_LEVELS.map((level) => ({ value: logs.count(app, level), values: [app, level] })),
      ),
  })
  const readTimes = (value: (measurement: string) => number | undefined) => () =>
    times.measurements(clock.monotonic()).flatMap((measurement) => {
      const reading = value(measurement)
      return reading === undefined ? [] : [{ value: reading, values: [measurement] }]
    })
  const labels = ['measurement']
  metrics.read({
    name: 'aviso_monitoring_measurements',
    kind: 'counter',
    help: 'Durations that services reported',
    labels,
    read: readTimes((measurement) => times.totals(measurement).count),
  })
  metrics.read({
    name: 'aviso_monitoring_measured_seconds',
    unit: 'seconds',
    kind: 'counter',
    help: 'Sum of the durations that services reported',
    labels,
    read: readTimes((measurement) => times.totals(measurement).sumSeconds),
  })
  for (const which of ['avg', 'max', 'min'] as const) {
    metrics.read({
      name: `aviso_monitoring_window_${which}_seconds`,
      unit: 'seconds',
      kind: 'gauge',
      help: `${which} of the durations that services reported within the window`,
      labels,
      read: readTimes((measurement) => times.since(measurement, clock.monotonic() - windowMs)?.[which]),
    })
  }
}
