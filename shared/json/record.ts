/**
 * JSON objects of values that we did not write, or wrote long ago: what their members are is for the reader to find out.
 *
 * Untrusted requests go through `strict_json.ts` instead.
 *
 * @module
 */

/** An object with members of any kind. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Whether a value is an object (not null, not an array). */
export function isJsonRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the JSON object that a text is; `undefined` for every other text. */
export function parseJsonRecord(text: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
