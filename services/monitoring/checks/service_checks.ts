/**
 * Checks the services by what they reported: response times and error logs. Names and texts are those of 1.x.
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

/** Most sub-measurements in one report: 1.x has three. */
const MAX_PARTS = 16
/** Most log lines quoted in one report, and characters of each, because an operator reads the report on one line of a screen. */
const MAX_QUOTED = 5
const MAX_QUOTED_CHARACTERS = 300

/** Which figures a response time check reports. */
type Figure = 'avg' | 'max' | 'min'

/** The figures that 1.x reports of each response time, and whether it also reports them of sub-measurements. */
const RESPONSE_FIGURES: Readonly<
  Record<ResponseType, { readonly figures: readonly Figure[]; readonly hasParts: boolean }>
> = {
  rest_resp_time: { figures: ['avg', 'max', 'min'], hasParts: false },
  auth_resp_time: { figures: ['avg', 'max'], hasParts: true },
}

/**
 * The verdict on the slowest response since a time. Sub-measurements never influence it.
 *
 * @param type Decides which {@link RESPONSE_FIGURES} are reported.
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
    // 1.x writes an average as a Python float, such as 2.0, and the other figures as they were sent.
    ...(figure === 'avg' && { text: pythonFloat(durations.avg) }),
    unit: 's',
  }))
}

/** The verdict on the log lines of a service since a time. */
export function checkErrorLog(app: LogApp, logs: LogBook, since: number): CheckResult {
  const name = app === 'etcd' ? 'etcd_error_log' : `${app}_error_log`
  const { errors, warnings } = logs.since(app, since)
  if (errors.length > 0) return { name, status: 2, message: `Errors received: ${quote(errors)}`, metrics: [] }
  if (warnings.length > 0)
    return { name, status: 1, message: `Warnings received: ${quote(warnings)}`, metrics: [] }
  return { name, status: 0, message: 'No error to report', metrics: [] }
}

/** The newest lines as a list. `|` is replaced, because it begins the figures of a report. */
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
