/**
 * Names of runs: text that is safe in a path, and reads back.
 *
 * @module
 */

/** Values that stay as they are: most of them do, and a test is cheaper than an encoding. */
const PLAIN = /^[\w.-]+$/
/** Longest name of a run that is read. */
const MAX_ID_LENGTH = 8_192

/**
 * The name of a run: `EVENT:VALUE,VALUE`, the values of its fields in the order of the expectation, percent-encoded. A value that is not there
 * is empty.
 */
export function runId(
  event: string,
  names: readonly string[],
  fields: Readonly<Record<string, string>>,
): string {
  let id = `${encode(event)}:`
  for (let index = 0; index < names.length; index++) {
    const value = fields[names[index] ?? ''] ?? ''
    if (index > 0) id += ','
    id += PLAIN.test(value) ? value : encode(value)
  }
  return id
}

/** The event type and the values in a name; `undefined` for text that {@link runId} does not write. */
export function parseRunId(
  id: string,
): { readonly event: string; readonly values: readonly string[] } | undefined {
  if (id.length > MAX_ID_LENGTH) return undefined
  const colon = id.indexOf(':')
  if (colon <= 0) return undefined
  const parts = [id.slice(0, colon), ...id.slice(colon + 1).split(',')].map((text) => decode(text))
  const known = parts.filter((part) => part !== undefined)
  const [event, ...values] = known
  return known.length < parts.length || event === undefined ? undefined : { event, values }
}

/** As `encodeURIComponent`, and also what it leaves: some programs write these differently in a path. */
function encode(text: string): string {
  if (PLAIN.test(text)) return text
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function decode(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text)
    return encode(value) === text ? value : undefined
  } catch {
    return undefined
  }
}
