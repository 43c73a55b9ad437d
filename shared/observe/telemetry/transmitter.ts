/**
 * The transmitter: every few seconds it sends the figures of the collectors as messages on a channel.
 *
 * Flow: rest, auth → **transmitter** → monitoring
 *
 * @module
 */

import type { ChannelStatus, TelemetryChannel } from './channel.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Collector } from './collectors.ts'
import { encodeTelemetry } from './message.ts'

export interface TransmitterParts {
  readonly collectors: readonly Collector[]
  readonly channel: TelemetryChannel
  readonly clock: Clock
  /** Name of the service, such as `aviso-rest`. */
  readonly component: string
  readonly hostname: string
  /** Seconds between messages. 1.x: 2. */
  readonly everySeconds: number
}

export interface Transmitter {
  /** Sends now what the collectors have. */
  flush(): void
  status(): ChannelStatus
  /** Sends the rest and stops. The channel stays open, because its owner closes it. Idempotent. */
  close(): void
}

/** Starts a transmitter. */
export function startTransmitter(parts: TransmitterParts): Transmitter {
  const { collectors, channel, clock, component, hostname, everySeconds } = parts
  let isClosed = false
  const flush = (): void => {
    for (const { type, take } of collectors) {
      for (const telemetry of take()) {
        channel.send(
          encodeTelemetry({
            telemetry_type: type,
            component_name: component,
            hostname,
            time: clock.now() / 1_000,
            telemetry,
          }),
        )
      }
    }
  }
  const stop = clock.every(everySeconds * 1_000, flush)
  return {
    flush,
    status: () => channel.status(),
    close() {
      if (isClosed) return
      isClosed = true
      stop()
      flush()
    },
  }
}
