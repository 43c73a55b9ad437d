/**
 * Describes what every process answers, whatever its services.
 *
 * @module
 */

import { count, flag, json, object, oneOf, text, type OperationDoc, type RoomDoc } from '#shared/http/doc.ts'

const alive = (route: OperationDoc['route']): OperationDoc => ({
  route,
  summary: 'Whether the process is alive',
  access: 'everyone',
  form: 1,
  answers: { 200: { about: 'It is', content: json(object({ status: oneOf(['ok']) })) } },
})

const ready = (route: OperationDoc['route']): OperationDoc => {
  const body = json(
    object({
      status: oneOf(['ready', 'not_ready']),
      backend_connected: flag('Whether the store answered just now'),
      streams: count('Open streams'),
      'reason?': text('Why it is not ready'),
    }),
  )
  return {
    route,
    summary: 'Whether the process takes work',
    access: 'everyone',
    form: 1,
    answers: {
      200: { about: 'It does', content: body },
      503: { about: 'It does not, now', content: body },
    },
  }
}

/** The routes. */
export const doc: RoomDoc = {
  tag: 'health',
  about: 'For probes and Prometheus.',
  operations: {
    health: alive('GET /health'),
    livez: alive('GET /livez'),
    ready: ready('GET /ready'),
    readyz: ready('GET /readyz'),
    metrics: {
      route: 'GET /metrics',
      summary: 'Metrics, in the form of Prometheus or OpenMetrics',
      access: 'everyone',
      form: 1,
      answers: {
        200: {
          about: 'The metrics',
          content: { 'text/plain': text(), 'application/openmetrics-text': text() },
        },
      },
    },
  },
}
