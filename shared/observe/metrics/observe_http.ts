/**
 * Measures handlers: requests, their times, and the number in progress. Names are those of aviso 2.x.
 *
 * @module
 */

import type { Handler } from '#shared/handler.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { TimeCollector } from '../telemetry/collectors.ts'
import { RESPONSE_SECONDS, type BoundGauge, type BoundHistogram, type Metrics } from './metrics.ts'

/** Options of a measured handler. */
export interface ObserveOptions {
  /** Also gets the times of answers that are not errors, as 1.x measures them. */
  readonly collector?: TimeCollector
}

/** Measures handlers. */
export interface HttpMetrics {
  /** @param route Label for what the handler serves. It comes from the configuration, never from a request. */
  observe(route: string, handler: Handler, options?: ObserveOptions): Handler
}

/** Methods that have their own label. All others share one, because a client may send any word. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])

/** Registers the metrics of HTTP requests. */
export function createHttpMetrics(metrics: Metrics, clock: Clock): HttpMetrics {
  const requests = metrics.counter({
    name: 'aviso_http_requests',
    help: 'Requests answered',
    labels: ['route', 'method', 'status_code'],
    maxSeries: 500,
  })
  const durations = metrics.histogram({
    name: 'aviso_http_request_duration_seconds',
    unit: 'seconds',
    help: 'Time to the answer; for a stream, to its first byte',
    labels: ['route', 'method'],
    bounds: RESPONSE_SECONDS,
  })
  const inFlight = metrics.gauge({
    name: 'aviso_http_requests_in_flight',
    help: 'Requests that are not answered yet',
    labels: ['method'],
  })
  return {
    observe: (route, handler, { collector } = {}) => {
      const methods = new Map<string, Method>()
      const openMethod = (label: string): Method => {
        const method = { inFlight: inFlight.bind([label]), durations: durations.bind([route, label]) }
        methods.set(label, method)
        return method
      }
      return async (request) => {
        const label = METHODS.has(request.method) ? request.method : 'other'
        const method = methods.get(label) ?? openMethod(label)
        const startedAt = clock.monotonic()
        method.inFlight.add(1)
        let status = 500
        try {
          const response = await handler(request)
          status = response.status
          return response
        } finally {
          const seconds = (clock.monotonic() - startedAt) / 1_000
          method.inFlight.add(-1)
          requests.add([route, label, String(status)])
          method.durations.observe(seconds)
          if (status < 400) collector?.observe(seconds)
        }
      }
    },
  }
}

/** The series of one route and method. */
interface Method {
  readonly inFlight: BoundGauge
  readonly durations: BoundHistogram
}
