/**
 * Writes metric families as text: OpenMetrics 1.0, or Prometheus' older text format for scrapers that do not ask for OpenMetrics.
 *
 * @see https://github.com/prometheus/OpenMetrics, specification 1.0, and Prometheus' "Exposition formats"
 * @module
 */

import { metricNumber, type MetricFamily, type MetricSample } from './registry.ts'

/** A format of the text. */
export type MetricsFormat = 'openmetrics' | 'prometheus'

/** Media type of each format. */
export const METRICS_MEDIA_TYPE: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
}

/** The format that an `Accept` header asks for. */
export function metricsFormatOf(accept: string | null): MetricsFormat {
  return accept?.toLowerCase().includes('application/openmetrics-text') === true
    ? 'openmetrics'
    : 'prometheus'
}

/** The text of all families. */
export function formatMetrics(families: readonly MetricFamily[], format: MetricsFormat): string {
  const parts = families.map((family) => familyText(family, format))
  return format === 'openmetrics' ? `${parts.join('')}# EOF\n` : parts.join('')
}

function familyText(family: MetricFamily, format: MetricsFormat): string {
  const { name, kind, help, unit, samples } = family
  if (samples.length === 0) return ''
  const isOld = format === 'prometheus'
  // The old format has no `info` kind, and its name of a family is that of the samples.
  const ownName =
    isOld && kind === 'counter' ? `${name}_total` : isOld && kind === 'info' ? `${name}_info` : name
  const lines = [
    `# TYPE ${ownName} ${isOld && kind === 'info' ? 'gauge' : kind}`,
    ...(unit === undefined || isOld ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${ownName} ${escapeHelp(help, format)}`,
    ...samples.map((sample) => sampleText(name, sample)),
  ]
  return `${lines.join('\n')}\n`
}

function sampleText(name: string, { suffix, labels, value }: MetricSample): string {
  const list = labels.map(([label, text]) => `${label}="${escapeValue(text)}"`).join(',')
  return `${name}${suffix}${list === '' ? '' : `{${list}}`} ${metricNumber(value)}`
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(text: string, format: MetricsFormat): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped
}
