/**
 * Settings of telemetry (`vars.telemetry`): what services send about themselves, besides their answer to `/metrics`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { httpUrl, port, secretName } from '#shared/config/shapes.ts'

/** The port of 1.x. */
const UDP_PORT = 1111
/** The interval of 1.x. */
const EVERY_SECONDS = 2

/** The address where datagrams are sent or received. */
export const udpAddress = section({
  host: v.optional(v.pipe(v.string(), v.description('Host name or address')), '127.0.0.1'),
  port: v.optional(v.pipe(port, v.description('UDP port')), UDP_PORT),
})

export const telemetrySettings = section({
  udp: v.optional(
    v.pipe(
      udpAddress,
      v.description("UDP address of a monitoring, 1.x's or ours. Default: nothing is sent over UDP"),
    ),
  ),
  http: v.optional(
    v.pipe(
      section({
        url: v.pipe(httpUrl, v.description("Address of the monitoring's /api/v1/telemetry")),
        tokenEnv: v.pipe(secretName, v.description("Secret with the monitoring's token")),
      }),
      v.description(
        'A monitoring that gets telemetry over HTTP, for runtimes without UDP. Default: nothing is sent over HTTP',
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

/** The settings when the configuration has none. */
export const DEFAULT_TELEMETRY = v.getDefaults(telemetrySettings)
