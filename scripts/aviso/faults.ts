/**
 * Checks entries of files against schemas and finds every fault, each with what is allowed.
 *
 * @module
 */

import * as v from 'valibot'
import { closest } from '#shared/closest.ts'
import { isJsonRecord } from '#shared/json/record.ts'
import { issuePath, type PathStep } from './issue_path.ts'

/** A fault, and its place in the entry. */
export interface Fault {
  readonly message: string
  readonly path: readonly PathStep[]
}

/** What an entry became, or all that is wrong with it. */
export type Checked<Value> =
  | { readonly isRight: true; readonly value: Value }
  | { readonly isRight: false; readonly faults: readonly Fault[] }

/** Checks an entry. A strict object's own issue about unknown keys is replaced, because it names only the first one. */
export function check<const Schema extends v.GenericSchema>(
  schema: Schema,
  entry: unknown,
): Checked<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, entry)
  if (result.success) return { isRight: true, value: result.output }
  const issues = result.issues
    .filter(({ expected }) => expected !== 'never')
    .map((issue) => ({ message: issue.message, path: issuePath(issue) }))
  return { isRight: false, faults: onePerPlace([...unknownKeys(schema, entry, []), ...issues]) }
}

/** "; allowed are …", with a hint where one of them may have been meant. */
export function allowedText(given: string, allowed: readonly string[]): string {
  const meant = closest(given, allowed)
  const hint = meant === undefined ? '' : `. Did you mean ${meant}?`
  return `; allowed are ${allowed.join(', ')}${hint}`
}

/** A value that is wrong in several ways is told once, by the first of them. */
function onePerPlace(faults: readonly Fault[]): readonly Fault[] {
  const byPlace = new Map<string, Fault>()
  for (const fault of faults.toReversed()) byPlace.set(JSON.stringify(fault.path), fault)
  return faults.filter((fault) => byPlace.get(JSON.stringify(fault.path)) === fault)
}

function unknownKeys(schema: unknown, entry: unknown, path: readonly PathStep[]): Fault[] {
  if (!isJsonRecord(schema) || !isJsonRecord(entry)) return []
  // A pipe, an optional value and an object, as valibot builds them.
  const { pipe, wrapped, entries, type } = schema
  if (Array.isArray(pipe)) return pipe.slice(-1).flatMap((item) => unknownKeys(item, entry, path))
  if (wrapped !== undefined) return unknownKeys(wrapped, entry, path)
  if (!isJsonRecord(entries)) return []
  const allowed = Object.keys(entries)
  const own = type === 'strict_object' ? Object.keys(entry).filter((key) => !Object.hasOwn(entries, key)) : []
  return [
    ...own.map((key) => ({ message: `Unknown key${allowedText(key, allowed)}`, path: [...path, key] })),
    ...allowed.flatMap((key) => unknownKeys(entries[key], entry[key], [...path, key])),
  ]
}
