/**
 * The notifications of fault tests: two event types of the shipped schemas, with keys that repeat and values that name themselves.
 *
 * @module
 */

import type { Dice } from '../support/dice.ts'
import { valueOf } from './records.ts'

/** A notification to publish. */
export interface Draft {
  readonly id: string
  readonly event: string
  /** Where it will be stored. */
  readonly key: string
  readonly value: string
  /** `data` of its CloudEvent. */
  readonly data: unknown
}

/** Few enough that keys are written again and again, many enough that a transaction holds several. */
const NUMBERS = 150
const DATE = '20260810'
/** Usual, and now and then one that fills a stream's buffers. */
const VALUE_BYTES = { least: 40, most: 400, large: 8_000 } as const
const LARGE_SHARE = 0.08
const DISSEMINATION_SHARE = 0.3
/** Of those that end by themselves. Their deletion is history like any write. */
const TTL_SECONDS = 3

/** Prefixes of the keys. */
export const FLIGHT_PREFIX = '/tmp/aviso/flight/'
/** Prefix of one destination's keys. */
export function destinationPrefix(destination: string): string {
  return `/ec/diss/${destination}/`
}

export const COUNTRIES = ['italy', 'france', 'norway'] as const
/** The second one starts with the first one's name: what is meant for it must not reach the first. */
export const DESTINATIONS = ['FOO', 'FOOBAR', 'MACI'] as const

/** What is not left to the dice. */
export interface DrawOptions {
  /** Bytes of each value; absent: drawn, too. */
  readonly valueBytes?: number | undefined
  /** Share of notifications that end after a few seconds; absent: none. */
  readonly endingShare?: number | undefined
}

/** Draws a notification. */
export function drawNotification(id: string, dice: Dice, options: DrawOptions = {}): Draft {
  const { valueBytes, endingShare = 0 } = options
  const drawn = dice.chance(LARGE_SHARE) ? VALUE_BYTES.large : dice.whole(VALUE_BYTES.least, VALUE_BYTES.most)
  const bytes = valueBytes ?? drawn
  const value = valueOf(id, bytes)
  const number = dice.whole(1, NUMBERS)
  const more = dice.chance(endingShare) ? { ttl: TTL_SECONDS } : {}
  if (dice.chance(DISSEMINATION_SHARE)) {
    const destination = dice.pick(DESTINATIONS)
    const request = {
      destination,
      target: 'E1',
      class: 'od',
      date: DATE,
      domain: 'g',
      expver: '1',
      step: String(number),
      stream: 'oper',
      time: '0',
    }
    const stem = `date=${DATE},target=E1,class=od,expver=0001,domain=g,time=00,stream=oper,step=${number}`
    return {
      id,
      event: 'dissemination',
      key: destinationPrefix(destination) + stem,
      value,
      data: { event: 'dissemination', request, location: value, ...more },
    }
  }
  const country = dice.pick(COUNTRIES)
  const request = { date: DATE, country, airport: 'FCO', number: `AZ${number}` }
  return {
    id,
    event: 'flight',
    key: `${FLIGHT_PREFIX}${DATE}/${country}/FCO/AZ${number}`,
    value,
    data: { event: 'flight', request, payload: value, ...more },
  }
}

/** Its CloudEvent. */
export function cloudEvent({ id, data }: Draft): unknown {
  return { specversion: '1.0', id, source: '/faults', type: 'aviso', data }
}
