/**
 * What really happened in a simulation of runs: the generator writes it, the judge reads it.
 *
 * @module
 */

import type { Configuration } from './schedule.ts'

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
/** A Monday. */
export const START = Date.UTC(2026, 3, 13)

/** A run that is complete so long after its usual end had weather; later, it was late. Where it is rough, more is weather. */
export function normalMs(weather: number): number {
  return 20 * MINUTE_MS * Math.max(1, weather)
}

/** What was done to a run on purpose. */
export type Injection =
  | 'late'
  | 'stuck'
  | 'outage'
  | 'missing-products'
  | 'missing-run'
  | 'duplicates'
  | 'republished'
  | 'republished-days-later'
  | 'reverse'
  | 'deleted'

/** Why a run exists that no schedule names. */
export type Odd = 'back-fill' | 'no-such-date' | 'flood'

/** Fields as a notification has them. */
export type Fields = Readonly<Record<string, string>>

/** A run as it really was. */
export interface TrueRun {
  /** `EVENT|VALUE|…` in the order of {@link RUN_FIELDS}. */
  readonly key: string
  readonly event: string
  /** Fields that all its products share, `date` among them. */
  readonly fields: Fields
  /** Day of the simulation that its date names. */
  readonly day: number
  readonly configuration: Configuration | undefined
  readonly odd: Odd | undefined
  /** Fields of its expected products. */
  readonly products: readonly Fields[]
  readonly nominal: number
  /** When the last product usually comes. */
  readonly usualEnd: number
  readonly injected: ReadonlySet<Injection>
  /** When the first product came. Undefined: none did. */
  readonly firstAt: number | undefined
  /** When all expected products were there. Undefined: they never were. */
  readonly completeAt: number | undefined
  /** Expected products that never came. */
  readonly missing: readonly Fields[]
  /** How often a product came again. */
  readonly repeated: number
  /** Runs of this configuration before this one of which something came, and those since its products last changed. */
  readonly earlier: number
  readonly sinceChange: number
  /** How many of the seven runs before it were more than weather. */
  readonly oddBefore: number
}

/** Something that happens to a run's products. */
export interface Arrival {
  /** When, by a right clock. */
  readonly at: number
  readonly run: TrueRun
  readonly kind: 'published' | 'deleted'
  /** Fields of the product, beside those of the run. */
  readonly product: Fields
  /** The judge asks for the ETA when this has come. */
  readonly asks: boolean
}

/** A time in which the clock of the machine is wrong. */
export interface ClockJump {
  readonly from: number
  readonly to: number
  readonly byMs: number
}

/** Fields of a run, by event type, in the order of keys. */
export const RUN_FIELDS: Readonly<Record<string, readonly string[]>> = {
  mars: ['class', 'stream', 'expver', 'date', 'time'],
  ensemble: ['class', 'stream', 'expver', 'date', 'time'],
  dissemination: ['destination', 'class', 'stream', 'expver', 'date', 'time'],
}
/** Fields of a product, by event type. */
export const PRODUCT_FIELDS: Readonly<Record<string, readonly string[]>> = {
  mars: ['step'],
  ensemble: ['step', 'number'],
  dissemination: ['step', 'target'],
}

/** The key of a run that has these fields. */
export function keyOf(event: string, fields: Fields): string {
  return [event, ...(RUN_FIELDS[event] ?? []).map((field) => fields[field] ?? '-')].join('|')
}

/** What tells one product of a run from another. */
export function productKey(fields: Fields): string {
  return `${fields['step'] ?? ''}/${fields['number'] ?? fields['target'] ?? ''}`
}

/** A day of the simulation as a date: `YYYYMMDD`. */
export function dateOf(day: number): string {
  return new Date(START + day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
}
