/**
 * Serves the monitoring over HTTP: takes telemetry of services without UDP, and shows the status.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import type { Access } from '#shared/access/access.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { readBody } from '#shared/http/read_body.ts'
import { jsonResponse } from '#shared/http/respond.ts'
import { createRouter, OFFERS_JSON, type RoutedHandler } from '#shared/http/route.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { Secret } from '#shared/secret.ts'
import type { MonitoringOptions } from './options.ts'

export interface MonitoringHandlerParts {
  readonly options: MonitoringOptions
  readonly accept: (datagram: Uint8Array) => boolean
  readonly status: () => Promise<Readonly<Record<string, unknown>>>
  readonly access: Pick<Access, 'forAdministration'>
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
}

/** Enough for more than a hundred messages of a service. */
const BODY_LIMIT_BYTES = 256 * 1024
const BODY_TIMEOUT_MS = 10_000
/** Most messages of one request. Further lines are not read. */
const MAX_LINES = 1_000

/** Makes a handler of the routes. It never rejects. */
export function createMonitoringHandler(parts: MonitoringHandlerParts): RoutedHandler {
  return createRouter(
    [
      {
        method: 'POST',
        path: '/api/v1/telemetry',
        doc: 'telemetry',
        handle: (request) => receive(parts, request),
      },
      {
        method: 'GET',
        path: '/api/v1/monitoring/status',
        doc: 'monitoringStatus',
        offers: OFFERS_JSON,
        handle: async (request) => {
          await parts.access.forAdministration(request)
          return jsonResponse(200, await parts.status())
        },
      },
    ],
    parts,
  )
}

/** Takes telemetry. Each line of the body is one message, as in a datagram. */
async function receive(parts: MonitoringHandlerParts, request: HandlerRequest): Promise<Answer> {
  await requireToken(request, parts.options.telemetryToken)
  const limits = { limitBytes: BODY_LIMIT_BYTES, timeoutMs: BODY_TIMEOUT_MS, clock: parts.clock }
  const body = await readBody(request, limits)
  let accepted = 0
  let refused = 0
  for (const line of linesOf(body)) {
    if (line.length === 0) continue
    if (accepted + refused === MAX_LINES) break
    if (parts.accept(line)) accepted++
    else refused++
  }
  return jsonResponse(200, { accepted, refused })
}

function* linesOf(body: Uint8Array): Generator<Uint8Array> {
  const lines = createLineSplitter({ maxBytes: BODY_LIMIT_BYTES })
  yield* lines.add(body)
  yield lines.end()
}

/** @throws {AvisoError} `ERR_FORBIDDEN` when no token is configured, `ERR_UNAUTHENTICATED` when the request's token is not that one. */
async function requireToken(request: HandlerRequest, token: Secret | undefined): Promise<void> {
  if (token === undefined)
    throw new AvisoError(
      'ERR_FORBIDDEN',
      'Telemetry over HTTP is off: name a secret in workers.monitoring.vars.telemetryTokenEnv to switch it on',
    )
  const [, given = ''] = /^Bearer (\S{1,4096})$/i.exec(request.headers.get('authorization') ?? '') ?? []
  const [expected, actual] = await Promise.all([digest(token.reveal()), digest(given)])
  // Digests have equal lengths and all bytes are compared, so the time that it takes reveals nothing about the token.
  const difference = expected.reduce((sum, byte, index) => sum | (byte ^ (actual[index] ?? 0)), 0)
  if (difference !== 0)
    throw new AvisoError('ERR_UNAUTHENTICATED', 'The token is not that of this monitoring')
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', toBytes(text)))
}
