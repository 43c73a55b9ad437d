/**
 * Makes bodies for etcd's gateway, valid and invalid: both spellings of fields, fields that occur twice, escaped names, base64 in every
 * variant that some decoder accepts, values of other types, several documents, and single changed bytes.
 *
 * @module
 */

import { encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { Dice } from '../../tests/support/dice.ts'

/** Keys in bodies: the listener's own, keys beside them, and both ends of all keys. */
const NAMES = [
  '/ec/diss/FOO/',
  '/ec/diss/FOO',
  '/ec/diss/FOO0',
  '/ec/diss/FOP',
  '/ec/diss/FOO/d=1',
  '/ec/diss/FOO/d=2',
  '/ec/diss/FO',
  '/ec/diss/FOOBAR/',
  '/ec/diss/FOOBAR0',
  '/ec/diss/BAR/',
  '/ec/diss/',
  '/ec/diss0',
  '/ec/mars/',
  '/ec/mars0',
  '/ec/mars',
  '/ec/mart',
  '/ec/',
  '/ec0',
  '/',
  '/_aviso/',
  '/_aviso0',
  '/_aviso/epoch',
  '/zz',
  '\0',
  '\0\0',
  '\u00ff',
  '',
]
const OWN = ['/ec/diss/FOO/', '/ec/diss/FOO/d=1', '/ec/diss/FOO', '/ec/mars/', '/ec/mars']

const NUMBERS = [
  '0',
  '1',
  '2',
  '3',
  '"0"',
  '"1"',
  '"5"',
  '10000',
  '"10000"',
  '-1',
  '"-1"',
  '1.0',
  '1e0',
  '" 1 "',
  'null',
  '9007199254740993',
  '"99999999999999999999"',
  '[]',
  'true',
  '"x"',
]
const BOOLEANS = ['true', 'false', 'null', '"true"', '1', '0', '[]']
const ORDERS = ['"NONE"', '"ASCEND"', '"DESCEND"', '0', '1', '2', '3', 'null', '"descend"', '-1']
const TARGETS = ['"KEY"', '"VERSION"', '"CREATE"', '"MOD"', '"VALUE"', '0', '3', '4', 'null', '"key"']

/** Field → texts of possible values. */
const FIELDS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['limit', NUMBERS],
  ['revision', NUMBERS],
  ['sort_order', ORDERS],
  ['sort_target', TARGETS],
  ['serializable', BOOLEANS],
  ['keys_only', BOOLEANS],
  ['count_only', BOOLEANS],
  ['min_mod_revision', NUMBERS],
  ['max_mod_revision', NUMBERS],
  ['min_create_revision', NUMBERS],
  ['max_create_revision', NUMBERS],
]
const WATCH_FIELDS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['start_revision', ['1', '"1"', '2', '"3"', '0', '-1', 'null', '1.0', '"x"']],
  ['progress_notify', BOOLEANS],
  ['prev_kv', BOOLEANS],
  ['fragment', BOOLEANS],
  ['watch_id', NUMBERS],
  ['filters', ['[]', '[0]', '["NOPUT"]', '["NODELETE"]', 'null']],
]
const UNKNOWN = ['bogus', 'KEY', 'RangeEnd', 'range-end', '__proto__', 'constructor', 'request_union', '']

/** Probability of each kind of deviation in a body. Most bodies have one or two deviations, and many have none. */
const RARE = 0.06
const FREQUENT = 0.25

/** A body for `/v3/kv/range`. */
export function rangeBody(dice: Dice): Uint8Array {
  return disturb(objectText(dice, [...keyMembers(dice), ...members(dice, FIELDS)]), dice)
}

/** A body for `/v3/watch`. */
export function watchBody(dice: Dice): Uint8Array {
  const create = objectText(dice, [...keyMembers(dice), ...members(dice, WATCH_FIELDS)])
  if (dice.chance(RARE)) return disturb(create, dice)
  const names = dice.chance(RARE) ? ['create_request', 'createRequest'] : ['create_request']
  const entries = names.map((name) => `${nameText(dice, name)}:${create}`)
  if (dice.chance(RARE)) entries.push('"cancel_request":{"watch_id":"1"}')
  const text = `{${entries.join()}}`
  return disturb(dice.chance(RARE) ? `${text}\n${text}` : text, dice)
}

function keyMembers(dice: Dice): readonly string[] {
  const key = dice.chance(0.7) ? dice.pick(OWN) : dice.pick(NAMES)
  const result = [member(dice, 'key', keyText(dice, key))]
  if (dice.chance(0.7)) result.push(member(dice, 'range_end', keyText(dice, endFor(dice, key))))
  if (dice.chance(RARE)) result.push(member(dice, 'range_end', keyText(dice, dice.pick(NAMES))))
  if (dice.chance(RARE)) result.push(member(dice, 'key', keyText(dice, dice.pick(NAMES))))
  return result
}

/** The end of a range. Mostly the end that a client makes for a prefix: its last byte plus one. */
function endFor(dice: Dice, key: string): string {
  if (key === '' || dice.chance(0.4)) return dice.pick(NAMES)
  return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1)
}

function members(dice: Dice, fields: typeof FIELDS): readonly string[] {
  const result: string[] = []
  for (const [name, values] of fields) {
    if (!dice.chance(FREQUENT)) continue
    // The first values of each list are mostly valid.
    const value = dice.chance(0.8) ? dice.pick(values.slice(0, 3)) : dice.pick(values)
    result.push(member(dice, name, value))
    if (dice.chance(RARE / 4)) result.push(member(dice, name, dice.pick(values)))
  }
  if (dice.chance(RARE)) result.push(member(dice, dice.pick(UNKNOWN), '1'))
  return result
}

function member(dice: Dice, name: string, value: string): string {
  const space = dice.chance(RARE) ? ' \n' : ''
  return `${nameText(dice, name)}${space}:${space}${value}`
}

function nameText(dice: Dice, name: string): string {
  const isCamel = dice.chance(FREQUENT)
  const spelled = isCamel ? name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : name
  if (!dice.chance(RARE)) return JSON.stringify(spelled)
  const at = dice.whole(0, Math.max(0, spelled.length - 1))
  const escaped = `\\u${spelled.charCodeAt(at).toString(16).padStart(4, '0')}`
  return `"${spelled.slice(0, at)}${spelled === '' ? '' : escaped}${spelled.slice(at + 1)}"`
}

/** The text of a key as a value: base64, or a variant that some decoder accepts. */
function keyText(dice: Dice, key: string): string {
  const bytes = key === '\u00ff' ? Uint8Array.of(0xff) : toBytes(key)
  const base64 = encodeBase64(bytes)
  if (!dice.chance(RARE * 2)) return JSON.stringify(base64)
  switch (dice.whole(0, 9)) {
    case 0:
      return JSON.stringify(base64.replaceAll('=', ''))
    case 1:
      return JSON.stringify(base64.replaceAll('+', '-').replaceAll('/', '_'))
    case 2:
      return JSON.stringify(`${base64.slice(0, 4)}\n${base64.slice(4)}`)
    case 3:
      return JSON.stringify(` ${base64}`)
    case 4:
      return JSON.stringify(`${base64}=`)
    case 5:
      return JSON.stringify(base64 + encodeBase64(Uint8Array.of(0)))
    case 6:
      return `[${[...bytes].join()}]`
    case 7:
      return JSON.stringify(base64.replace(/[^=](=*)$/, 'B$1'))
    case 8:
      return dice.pick(['null', '7', 'true', '{}', '""', '[]'])
    default:
      return JSON.stringify(key)
  }
}

function objectText(dice: Dice, entries: readonly string[]): string {
  const shuffled = [...entries]
  for (let index = shuffled.length - 1; index > 0; index--) {
    const [moved = ''] = shuffled.splice(dice.whole(0, index), 1)
    shuffled.push(moved)
  }
  return `{${shuffled.join()}}`
}

/** Sometimes adds text after or before a document, or changes bytes in it. */
function disturb(text: string, dice: Dice): Uint8Array {
  let bytes = toBytes(text)
  if (dice.chance(RARE / 2)) bytes = toBytes(text + dice.pick(['{}', text, ',', ' x', '\0', '\n{}', ']']))
  if (dice.chance(RARE / 4)) bytes = toBytes(`\ufeff${text}`)
  if (!dice.chance(RARE)) return bytes
  const changed = Uint8Array.from(bytes)
  for (let count = dice.whole(1, 2); count > 0; count--)
    changed[dice.whole(0, changed.length - 1)] = dice.whole(0, 255)
  return dice.chance(0.3) ? changed.slice(0, dice.whole(0, changed.length - 1)) : changed
}
