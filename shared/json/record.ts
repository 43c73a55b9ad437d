/**
 * JSON objects whose members are not known, because another program or an older version wrote them. The reader checks each member.
 *
 * Untrusted requests go through `strict_json.ts` instead.
 *
 * @module
 */

/** An object whose members may have any type. */
export type JsonRecord = Readonly<Record<string, unknown>>

/** Whether a value is an object (not null, not an array). */
export function isJsonRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the JSON object in a text; `undefined` when the text is not a JSON object. */
export function parseJsonRecord(text: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
