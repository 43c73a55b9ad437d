/**
 * Settings of telemetry: what services send about themselves, besides answering `/metrics` (`vars.telemetry`).
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { httpUrl, port, secretName } from '#shared/config/shapes.ts'

/** 1.x's port. */
const UDP_PORT = 1111
/** 1.x's rhythm. */
const EVERY_SECONDS = 2

/** Where datagrams are sent, or received. */
export const udpAddress = section({
  host: v.optional(v.pipe(v.string(), v.description('Host name or address')), '127.0.0.1'),
  port: v.optional(v.pipe(port, v.description('UDP port')), UDP_PORT),
})

export const telemetrySettings = section({
  udp: v.optional(
    v.pipe(
      udpAddress,
      v.description("UDP address of a monitoring, 1.x's or ours. Default: nothing is sent by UDP"),
    ),
  ),
  http: v.optional(
    v.pipe(
      section({
        url: v.pipe(httpUrl, v.description("Address of the monitoring's /api/v1/telemetry")),
        tokenEnv: v.pipe(secretName, v.description("Secret with the monitoring's token")),
      }),
      v.description(
        'A monitoring that is told by HTTP, where there is no UDP. Default: nothing is sent by HTTP',
      ),
    ),
  ),
  everySeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(3_600),
      v.metadata({ unit: 'seconds' }),
      v.description('Time between two messages'),
    ),
    EVERY_SECONDS,
  ),
})

/** The settings where a configuration has none. */
export const DEFAULT_TELEMETRY = v.getDefaults(telemetrySettings)
