/**
 * What is expected of the runs of an event type, compiled.
 *
 * @module
 */

/** Milliseconds after the nominal time, or learned. */
export type Due = 'usual' | number

/** How much is learned from. */
export interface Usual {
  /** Earlier runs of the same hour, at least. */
  readonly runs: number
  /** Share of them that a product must have been in. */
  readonly quorum: number
}

/** A group of listed products. */
export interface ExpectedGroup {
  /** Field of the run → canonical values that it may have. */
  readonly where: ReadonlyMap<string, ReadonlySet<string>>
  /** Keys of products, as {@link productKey} makes them. */
  readonly products: readonly string[]
  readonly due: Due
}

/** What is expected. */
export type Expected =
  | { readonly kind: 'usual' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'list'; readonly groups: readonly ExpectedGroup[] }

/** When a run is nominally. */
export interface Nominal {
  readonly date: string
  readonly time: string | undefined
  /** The first moment of a canonical date; `undefined`: there is no such day. */
  readDate(text: string): number | undefined
  /** The canonical text of the day of a moment. */
  writeDate(at: number): string
}

/** What is expected of the runs of an event type. */
export interface Expectation {
  readonly event: string
  /** Fields that name a run. */
  readonly run: readonly string[]
  /** Fields that name a product in it. */
  readonly product: readonly string[]
  readonly nominal: Nominal | undefined
  readonly expected: Expected
  readonly usual: Usual
  /** Of products that no group has a due time for. */
  readonly due: Due
  /** Milliseconds after the nominal time. */
  readonly close: number
  /** Runs that come every day, whatever was learned: canonical values of all fields but the date. */
  readonly every: readonly Readonly<Record<string, string>>[]
}

/** Divides the values of a product's fields: no value of 1.x holds it, and one of 2.x has it replaced. */
const SEPARATOR = '\u001f'

/** The name of a product within its run. */
export function productKey(names: readonly string[], fields: Readonly<Record<string, string>>): string {
  const first = fields[names[0] ?? ''] ?? ''
  if (names.length === 1) return first
  let key = plain(first)
  for (let index = 1; index < names.length; index++)
    key += SEPARATOR + plain(fields[names[index] ?? ''] ?? '')
  return key
}

/** The values of a product's fields, in the order of the names. */
export function productValues(names: readonly string[], key: string): readonly string[] {
  return names.length === 1 ? [key] : key.split(SEPARATOR)
}

/** The value of a product's first field, and the text of the others. */
export function splitProductKey(
  names: readonly string[],
  key: string,
): { readonly first: string; readonly rest: string } {
  const end = names.length === 1 ? -1 : key.indexOf(SEPARATOR)
  return end < 0 ? { first: key, rest: '' } : { first: key.slice(0, end), rest: key.slice(end) }
}

/** The fields of a product. */
export function productFields(names: readonly string[], key: string): Readonly<Record<string, string>> {
  const values = productValues(names, key)
  const fields: Record<string, string> = {}
  for (let index = 0; index < names.length; index++) fields[names[index] ?? ''] = values[index] ?? ''
  return fields
}

/** Whether the name of a product has its fields as they are. */
export function isPlain(names: readonly string[], fields: Readonly<Record<string, string>>): boolean {
  return names.length === 1 || !names.some((name) => fields[name]?.includes(SEPARATOR) === true)
}

function plain(value: string): string {
  return value.includes(SEPARATOR) ? value.replaceAll(SEPARATOR, '\ufffd') : value
}
