/**
 * Settings of quotas: the limits of one principal or address (`vars.quota`). They count only with identities, because without them all
 * requesters are one principal.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'

/** Thirty wrong credentials a minute, as ntfy allows. A client with a mistyped key needs one; a scan needs millions. */
const WRONG_CREDENTIALS = { perSecond: 0.5, burst: 30 }
/** A user with a thousand 1.x listeners that ask every half minute needs 33 per second. */
const READS = { perSecond: 200, burst: 400 }
const PUBLISHES = { perSecond: 200, burst: 400 }
const OPENS = { perSecond: 1, burst: 30 }
const STREAMS = 32

const rate = section({
  perSecond: v.pipe(v.number(), v.minValue(0.01), v.maxValue(1e6), v.description('Rate that may last')),
  burst: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(1),
    v.maxValue(1e6),
    v.description('How many may come at once after a pause'),
  ),
})

export const quotaSettings = section({
  streamsPerPrincipal: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.metadata({ unit: 'streams' }),
      v.description('Streams of one identity at once; counted as streams_limited'),
    ),
    STREAMS,
  ),
  opensPerPrincipal: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'streams per second' }),
      v.description('Streams that one identity opens; counted as openings_limited'),
    ),
    OPENS,
  ),
  readsPerPrincipal: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'requests per second' }),
      v.description('Reads of stored keys by /v3/kv/range; counted as reads_limited'),
    ),
    READS,
  ),
  publishesPerPrincipal: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'requests per second' }),
      v.description('Requests of the ingest, where a batch is one; counted as publishing_limited'),
    ),
    PUBLISHES,
  ),
  wrongCredentialsPerAddress: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'requests per second' }),
      v.description('Wrong credentials from one address; counted as credentials_limited'),
    ),
    WRONG_CREDENTIALS,
  ),
  trustedProxies: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(0),
      v.maxValue(8),
      v.metadata({ unit: 'proxies' }),
      v.description(
        'How many of your proxies a request passes, each of which adds an address to X-Forwarded-For; 0: the header is not believed',
      ),
    ),
    0,
  ),
})

export type QuotaSettings = v.InferOutput<typeof quotaSettings>
