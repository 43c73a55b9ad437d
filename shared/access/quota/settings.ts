/**
 * Settings of quotas: the limits of one identity or address, and the shares of streams (`vars.quota`). They count only where identities are
 * configured, because without them all requesters are one.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'

/** Thirty wrong credentials a minute, as ntfy allows. A client with a mistyped key needs one; a scan needs millions. */
const WRONG_CREDENTIALS = { perSecond: 0.5, burst: 30 }
/** 2,000 polls without news a second, or 20,000 keys a second: a fifth of what one process reads. */
const READS = { perSecond: 200, burst: 400 }
const PUBLISHES = { perSecond: 200, burst: 400 }
/**
 * A program has a stream for each of its listeners, and an ecFlow server hundreds. 1,000 streams that nobody reads any more may be open for a
 * minute while the same 1,000 come back. An idle stream costs some 30 KB of memory, so these cost 60 MB, and four others can do the same.
 */
const STREAMS = 2_000
/** All streams of an identity come back at once after a restart. Opening one costs less than a millisecond, so 50 a second are harmless. */
const OPENS = { perSecond: 50, burst: STREAMS }
/** An institute behind one address, and a fiftieth of the default streams. */
const ADDRESS_STREAMS = 200
const ADDRESS_OPENS = { perSecond: 10, burst: ADDRESS_STREAMS }
/** Nobody answers for what comes without an identity, so it may not fill the store: at most 864,000 a day. */
const ADDRESS_PUBLISHES = { perSecond: 10, burst: 100 }
/** Half of the streams stay for the nameless, at most, because no operator can ask them to use fewer. */
const IDENTITY_RESERVE_PERCENT = 40
/** A relay serves many listeners with few streams, and an administrator must get in when all else is full. */
const RELAY_RESERVE_PERCENT = 10

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

const percent = v.pipe(
  v.number(),
  v.minValue(0),
  v.maxValue(100),
  v.metadata({ unit: 'percent of maxStreams' }),
)

const limits = section({
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
      v.metadata({ unit: 'units per second' }),
      v.description(
        'What one identity reads by /v3/kv/range and traces. One unit is 10 reads, 100 keys, 2,000 keys that are only counted (etcd counts the whole range for each answer that it gives, whatever the limit), or 16 KiB of answers. A read may use more than is left; the next one then waits. Counted as reads_limited',
      ),
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
  streamsPerAddress: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1),
      v.metadata({ unit: 'streams' }),
      v.description(
        'Streams without an identity from one address (IPv6: /64) at once; counted as address_streams_limited',
      ),
    ),
    ADDRESS_STREAMS,
  ),
  opensPerAddress: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'streams per second' }),
      v.description(
        'Streams without an identity that one address opens; counted as address_openings_limited',
      ),
    ),
    ADDRESS_OPENS,
  ),
  readsPerAddress: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'units per second' }),
      v.description(
        'What one address reads without an identity, in the units of readsPerPrincipal; counted as address_reads_limited',
      ),
    ),
    READS,
  ),
  publishesPerAddress: v.optional(
    v.pipe(
      rate,
      v.metadata({ unit: 'notifications per second' }),
      v.description(
        'Notifications that one address publishes without an identity, where the policy lets it; counted as address_publishing_limited',
      ),
    ),
    ADDRESS_PUBLISHES,
  ),
  streamsForIdentities: v.optional(
    v.pipe(
      percent,
      v.description(
        'Streams that requesters without an identity cannot take; a refusal is counted as nameless_share_full',
      ),
    ),
    IDENTITY_RESERVE_PERCENT,
  ),
  streamsForRelays: v.optional(
    v.pipe(
      percent,
      v.description(
        'Streams that only relays and administrators can take; a refusal is counted as identity_share_full',
      ),
    ),
    RELAY_RESERVE_PERCENT,
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

export const quotaSettings = v.pipe(
  limits,
  v.check(
    ({ streamsForIdentities, streamsForRelays }) => streamsForIdentities + streamsForRelays <= 100,
    'streamsForIdentities and streamsForRelays are parts of the same streams: together at most 100 percent',
  ),
)

export type QuotaSettings = v.InferOutput<typeof quotaSettings>
