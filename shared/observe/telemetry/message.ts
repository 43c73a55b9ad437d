/**
 * A telemetry message: the JSON object that 1.x services send to the monitoring, one per UDP datagram, byte for byte the same form.
 *
 * @see reference/aviso-v1.md §4.2
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'

/** What one collector saw in one interval, by measurement: `<name>_counter`, `_avg`, `_max`, `_min` (seconds), `_values` (texts). */
export type Telemetry = Readonly<Record<string, number | readonly string[]>>

/** The object. Its names are those of the wire. */
export interface TelemetryMessage {
  /** e.g. `rest_resp_time` */
  readonly telemetry_type: string
  /** e.g. `aviso-rest` */
  readonly component_name: string
  readonly hostname: string
  /** Seconds since 1970 with a fraction. 1.x means the same, but is off by its time zone where that is not UTC. */
  readonly time: number
  readonly telemetry: Telemetry
}

/**
 * Largest datagram we send: fits one Ethernet frame with its headers, so no part of it can be lost alone. 1.x sends larger ones,
 * and they are received.
 */
export const MAX_SENT_BYTES = 1_400

/** The datagram. */
export function encodeTelemetry(message: TelemetryMessage): Uint8Array {
  return toBytes(JSON.stringify(message))
}
