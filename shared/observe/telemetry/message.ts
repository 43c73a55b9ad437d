/**
 * A telemetry message: the JSON object that services send to the monitoring, one per UDP datagram. Its form is that of 1.x, byte for byte.
 *
 * @see reference/aviso-v1.md §4.2
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'

/** The figures of one collector and interval, by measurement: `<name>_counter`, `_avg`, `_max`, `_min` (seconds), `_values` (texts). */
export type Telemetry = Readonly<Record<string, number | readonly string[]>>

/** The JSON object. Its names are those on the wire. */
export interface TelemetryMessage {
  /** e.g. `rest_resp_time` */
  readonly telemetry_type: string
  /** e.g. `aviso-rest` */
  readonly component_name: string
  readonly hostname: string
  /** Seconds since 1970, with a fraction. 1.x means the same, but its value is wrong by the time zone unless that is UTC. */
  readonly time: number
  readonly telemetry: Telemetry
}

/**
 * Size of the largest datagram that we send. With its headers it fits into one Ethernet frame, so it cannot be lost in part. 1.x sends
 * larger datagrams, and the monitoring receives them.
 */
export const MAX_SENT_BYTES = 1_400

/** The datagram of a message. */
export function encodeTelemetry(message: TelemetryMessage): Uint8Array {
  return toBytes(JSON.stringify(message))
}
