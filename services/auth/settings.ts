/**
 * Settings of the listening service: `workers.auth.vars`. They bound the streams that the hub serves. The hub's other bounds and their
 * reasons are in `shared/hub/limits.ts`.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { OUTAGE_SECONDS, type HubLimits } from '#shared/hub/limits.ts'

/** Bun closes a connection that is silent for 10 s, some proxies after 8 s. 2.x clients expect 30 s; more heartbeats do not harm them. */
const HEARTBEAT_SECONDS = 5
/** 2.x's default, so that its clients see what they expect. */
const STREAM_MAX_AGE_SECONDS = 3_600
/** Long enough for a laptop's network to come back, short enough that dead peers do not pile up. */
const STALL_SECONDS = 60
/** Some 30,000 notifications: a listener that comes back soon finds its place without a read of the store. */
const RING_MEBIBYTES = 32
/** 10,000 idle streams take about 300 MB in the runtime that needs most memory. */
const MAX_STREAMS = 10_000

export const authVars = section({
  heartbeatSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(60),
      v.metadata({ unit: 'seconds' }),
      v.description('Time without a notification after which a stream gets a heartbeat'),
    ),
    HEARTBEAT_SECONDS,
  ),
  streamMaxAgeSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(86_400),
      v.metadata({ unit: 'seconds' }),
      v.description('Longest life of a stream. It then ends and the client comes back, as in 2.x'),
    ),
    STREAM_MAX_AGE_SECONDS,
  ),
  stallSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(3_600),
      v.metadata({ unit: 'seconds' }),
      v.description(
        'Time that a listener may leave its stream unread. The stream then ends, and can be resumed',
      ),
    ),
    STALL_SECONDS,
  ),
  ringMebibytes: v.optional(
    v.pipe(
      v.number(),
      v.minValue(1),
      v.maxValue(4_096),
      v.metadata({ unit: 'MiB' }),
      v.description('Recent history kept in memory for returning listeners, shared by all streams'),
    ),
    RING_MEBIBYTES,
  ),
  maxStreams: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.metadata({ unit: 'streams' }),
      v.description('Most streams at once; further streams are refused with 503 and Retry-After'),
    ),
    MAX_STREAMS,
  ),
})

export type AuthVars = v.InferOutput<typeof authVars>

/** @returns the bounds of the hub that follow from the settings. */
export function toHubLimits(vars: AuthVars): HubLimits {
  return {
    ringBytes: vars.ringMebibytes * 1024 * 1024,
    maxSubscribers: vars.maxStreams,
    heartbeatSeconds: vars.heartbeatSeconds,
    maxAgeSeconds: vars.streamMaxAgeSeconds,
    stallSeconds: vars.stallSeconds,
    outageSeconds: OUTAGE_SECONDS,
  }
}
