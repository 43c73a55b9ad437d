/**
 * The counters of identity and policy. Their names are stable, because monitoring reads them.
 *
 * @module
 */

/** Every counter. */
export const COUNTER_NAMES = [
  /** Access that was almost granted on an outdated verdict, and was stopped. It stays 0; any other value is a defect. */
  'fail_open',
  'identified',
  'refused',
  'unavailable',
  /** Requests to authentication servers, ECPDS and key set endpoints. */
  'dependency_calls',
  'dependency_failures',
  'key_set_fetches',
  'verdicts_remembered',
  'verdicts_loaded',
  'streams_revoked',
  'streams_expired',
  'streams_unverifiable',
  'destinations_rejected',
  /** Lists of destinations, in the words of 2.x: remembered or not, what servers answered, and what came of it. */
  'ecpds_cache_hits',
  'ecpds_cache_misses',
  'ecpds_fetch_success',
  'ecpds_fetch_http_401',
  'ecpds_fetch_http_403',
  'ecpds_fetch_http_4xx',
  'ecpds_fetch_http_5xx',
  'ecpds_fetch_invalid_response',
  'ecpds_fetch_unreachable',
  'ecpds_access_allow',
  'ecpds_access_deny_destination',
  'ecpds_access_unavailable',
  /** These stay 0, and are there because boards of 2.x ask for them: such requests and settings are refused before. */
  'ecpds_access_deny_match_key_missing',
  'ecpds_access_error',
  /** Tickets for streams: given out, used, and not accepted because they were used already, too old or never given out. */
  'tickets_issued',
  'tickets_used',
  'tickets_refused',
  /** Refused with 429, because one identity reached its limit. */
  'tickets_limited',
  'streams_limited',
  'openings_limited',
  'reads_limited',
  'publishing_limited',
  /** Refused with 429, because one address reached its limit. */
  'credentials_limited',
  'address_streams_limited',
  'address_openings_limited',
  'address_reads_limited',
  'address_publishing_limited',
  /** Streams refused with 503, because the rest is kept for others. */
  'nameless_share_full',
  'identity_share_full',
  /** Requests that were not for this machine's people: a foreign name in `Host` (421), or a write by a web page of another origin (403). */
  'foreign_host_refused',
  'foreign_page_refused',
] as const

export type CounterName = (typeof COUNTER_NAMES)[number]

/** Adds one. */
export type Count = (name: CounterName) => void

/** Counters of one process. */
export interface Counters {
  readonly count: Count
  /** All counters, zeros included. */
  values(): Readonly<Record<CounterName, number>>
}

/** New counters, all 0. */
export function createCounters(): Counters {
  const values = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Record<CounterName, number>
  return {
    count: (name) => {
      values[name]++
    },
    values: () => ({ ...values }),
  }
}
