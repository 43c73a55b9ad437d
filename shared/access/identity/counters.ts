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
  /** Refused with 429, because one identity or address reached its limit. */
  'streams_limited',
  'openings_limited',
  'reads_limited',
  'publishing_limited',
  'credentials_limited',
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
