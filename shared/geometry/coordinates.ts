/**
 * Latitudes and longitudes: read from text and JSON, and written as 2.x writes them.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'

/** Makes the error about one value of one field. The caller knows the field; the reason says what is wrong and how to fix it. */
export type Fail = (reason: string) => AvisoError

/** Numbers of latitude and longitude in turn, in degrees, as the sender gave them. */
export type Pairs = Float64Array

/** What Rust reads as a finite number. JavaScript also reads the empty text, blanks and hexadecimal. */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE = /^[+-]?(?:nan|inf|infinity)$/i
/** An error quotes no more of a text than this: enough to find the place. */
const QUOTED_CHARACTERS = 40
/** Below this, and above 0, 2.x writes a number in JSON with an exponent. */
const SMALLEST_DECIMAL = 1e-5

const MAX_LATITUDE = 90
const MAX_LONGITUDE = 180

/** Text for an error: at most 40 characters of it. */
export function quote(text: string): string {
  return text.length > QUOTED_CHARACTERS ? `'${text.slice(0, QUOTED_CHARACTERS)}…'` : `'${text}'`
}

/**
 * Reads `lat,lon,lat,lon,…` without parentheses.
 *
 * @throws {AvisoError} by `fail`, for an odd count, a text that is no number, or a number out of range.
 */
export function readPairsText(text: string, fail: Fail): Pairs {
  const parts = text.split(',')
  if (parts.length % 2 !== 0) {
    throw fail(
      `coordinates must be lat,lon pairs, got ${String(parts.length)} values (an odd number); add the missing one`,
    )
  }
  const pairs = new Float64Array(parts.length)
  for (let at = 0; at < parts.length; at += 2) {
    const failHere: Fail = (reason) => fail(`point ${String(at / 2)}: ${reason}`)
    pairs[at] = readNumber(parts[at] ?? '', 'latitude', failHere)
    pairs[at + 1] = readNumber(parts[at + 1] ?? '', 'longitude', failHere)
    checkRange(pairs[at] ?? 0, pairs[at + 1] ?? 0, failHere)
  }
  return pairs
}

function readNumber(part: string, name: string, fail: Fail): number {
  const text = part.trim()
  if (DECIMAL.test(text)) return Number(text)
  if (NOT_FINITE.test(text)) throw fail(`${name} ${text} is not finite; give degrees`)
  throw fail(`${name} ${quote(text)} is not a number; give degrees such as 52.5`)
}

/**
 * Reads one `[lat,lon]` of JSON into `pairs`, at pair `index`.
 *
 * @throws {AvisoError} by `fail`, for another shape or a number out of range.
 */
export function readPair(value: unknown, pairs: Pairs, index: number, fail: Fail): void {
  if (!Array.isArray(value) || value.length !== 2) throw fail('coordinate must be an array [lat,lon]')
  const [latitude, longitude] = value as readonly unknown[]
  writePair(pairs, index, [asNumber(latitude, 'latitude', fail), asNumber(longitude, 'longitude', fail)])
  checkRange(pairs[index * 2] ?? 0, pairs[index * 2 + 1] ?? 0, fail)
}

/** Reads one position of GeoJSON, `[lon,lat]` with an optional height, as {@link readPair} does. The height has no use here. */
export function readPosition(value: unknown, pairs: Pairs, index: number, fail: Fail): void {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) {
    throw fail('position must be an array [lon,lat] or [lon,lat,height]')
  }
  const [longitude, latitude, height = 0] = value as readonly unknown[]
  asNumber(height, 'height', fail)
  writePair(pairs, index, [asNumber(latitude, 'latitude', fail), asNumber(longitude, 'longitude', fail)])
  checkRange(pairs[index * 2] ?? 0, pairs[index * 2 + 1] ?? 0, (reason) =>
    fail(`${reason} (GeoJSON has longitude first)`),
  )
}

function writePair(pairs: Pairs, index: number, [latitude, longitude]: readonly [number, number]): void {
  pairs[index * 2] = latitude
  pairs[index * 2 + 1] = longitude
}

function asNumber(value: unknown, name: string, fail: Fail): number {
  // Our reader of JSON gives integers beyond 2^53 as bigint. They are out of range, and the range check says so.
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'number') throw fail(`${name} must be a number`)
  if (!Number.isFinite(value)) throw fail(`${name} ${String(value)} is not finite; give degrees`)
  return value
}

function checkRange(latitude: number, longitude: number, fail: Fail): void {
  if (Math.abs(latitude) > MAX_LATITUDE) {
    throw fail(`latitude ${String(latitude)} is outside the valid range [-90, 90]; write latitude first`)
  }
  if (Math.abs(longitude) > MAX_LONGITUDE) {
    throw fail(`longitude ${String(longitude)} is outside the valid range [-180, 180]; write 190 as -170`)
  }
}

/** JSON text of pairs as 2.x writes it: `[[52.5,13.0],…]`. Its length is what 2.x's limit of bytes counts. */
export function pairsToJson(pairs: Pairs): string {
  const texts: string[] = []
  for (let at = 0; at < pairs.length; at += 2) {
    texts.push(`[${toJsonNumber(pairs[at] ?? 0)},${toJsonNumber(pairs[at + 1] ?? 0)}]`)
  }
  return `[${texts.join(',')}]`
}

/** Text of a JSON number as 2.x's library writes it: `13.0`, `-0.0`, `1e-6`. Absolute value at most 180. */
export function toJsonNumber(value: number): string {
  if (Object.is(value, -0)) return '-0.0'
  if (Number.isInteger(value)) return `${String(value)}.0`
  return Math.abs(value) < SMALLEST_DECIMAL ? value.toExponential() : String(value)
}

/** Text of a number as 2.x writes it in a point: never an exponent. Absolute value at most 180. */
export function toPlainNumber(value: number): string {
  if (Object.is(value, -0)) return '-0'
  const text = String(value)
  if (!text.includes('e')) return text
  const [digits = '', exponent = '0'] = Math.abs(value).toExponential().split('e-')
  const sign = value < 0 ? '-' : ''
  return `${sign}0.${'0'.repeat(Number(exponent) - 1)}${digits.replace('.', '')}`
}
