/**
 * Checks of the services from what they reported: response times and error logs. Names and texts are those of 1.x.
 *
 * @see reference/aviso-v1.md §4.4
 * @module
 */

import { pythonFloat } from '#shared/notification/python_number.ts'
import { statusAbove, type CheckMetric, type CheckResult, type Thresholds } from './check.ts'
import type { ResponseType } from '../receive/receiver.ts'
import type { LogApp } from '../receive/syslog.ts'
import type { LogBook } from '../receive/log_book.ts'
import type { Durations, TimeWindow } from '../receive/time_window.ts'

/** Sub-measurements in one report: 1.x has three. */
const MAX_PARTS = 16
/** Log lines quoted in one report, and characters of each: the report is read on one line of a screen. */
const MAX_QUOTED = 5
const MAX_QUOTED_CHARACTERS = 300

/** Which figures a response time check reports. */
type Figure = 'avg' | 'max' | 'min'

/** Figures of each response time, as 1.x reports them, and whether its sub-measurements have them too. */
const RESPONSE_FIGURES: Readonly<
  Record<ResponseType, { readonly figures: readonly Figure[]; readonly hasParts: boolean }>
> = {
  rest_resp_time: { figures: ['avg', 'max', 'min'], hasParts: false },
  auth_resp_time: { figures: ['avg', 'max'], hasParts: true },
}

/**
 * Verdict on the slowest response since a time.
 *
 * @param type Its {@link RESPONSE_FIGURES} are reported. Sub-measurements never influence the verdict.
 */
export function checkResponseTime(
  type: ResponseType,
  times: TimeWindow,
  thresholds: Thresholds,
  { since, now }: { readonly since: number; readonly now: number },
): CheckResult {
  const main = times.since(type, since)
  const { figures, hasParts } = RESPONSE_FIGURES[type]
  const parts = hasParts ? times.measurements(now).filter((name) => name.startsWith(`${type}_`)) : []
  const metrics = [type, ...parts.toSorted().slice(0, MAX_PARTS)].flatMap((name) =>
    toMetrics(name, name === type ? main : times.since(name, since), figures),
  )
  if (main === undefined) return { name: type, status: 0, message: '', metrics }
  const status = statusAbove(main.max, thresholds)
  const threshold = status === 2 ? thresholds.critical : thresholds.warning
  const message =
    status === 0 ? 'Response time is nominal' : `Response time of ${main.max}s > than threshold ${threshold}`
  return { name: type, status, message, metrics }
}

function toMetrics(
  name: string,
  durations: Durations | undefined,
  figures: readonly Figure[],
): readonly CheckMetric[] {
  if (durations === undefined) return []
  return figures.map((figure) => ({
    name: `${name}_${figure}`,
    value: durations[figure],
    // An average is a float for Python, which writes 2.0; the others come as they were sent.
    ...(figure === 'avg' && { text: pythonFloat(durations.avg) }),
    unit: 's',
  }))
}

/** Verdict on the log lines of a service since a time. */
export function checkErrorLog(app: LogApp, logs: LogBook, since: number): CheckResult {
  const name = app === 'etcd' ? 'etcd_error_log' : `${app}_error_log`
  const { errors, warnings } = logs.since(app, since)
  if (errors.length > 0) return { name, status: 2, message: `Errors received: ${quote(errors)}`, metrics: [] }
  if (warnings.length > 0)
    return { name, status: 1, message: `Warnings received: ${quote(warnings)}`, metrics: [] }
  return { name, status: 0, message: 'No error to report', metrics: [] }
}

/** The newest lines as a list; `|` begins the figures of a report, so it cannot stand in its text. */
function quote(lines: readonly string[]): string {
  const quoted = lines.slice(-MAX_QUOTED).map((line) => `'${clean(line.slice(0, MAX_QUOTED_CHARACTERS))}'`)
  const more = lines.length > MAX_QUOTED ? ` and ${lines.length - MAX_QUOTED} before` : ''
  return `[${quoted.join(', ')}]${more}`
}

function clean(line: string): string {
  return line
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .replaceAll('|', '/')
}
