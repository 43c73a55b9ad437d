/**
 * Regular expressions of operators. They are matched by RE2, in time that grows with the text alone. JavaScript's own engine tries one way
 * after the other, so that a pattern such as `(a+)+` could hold the service for minutes on 40 characters.
 *
 * @module
 */

import { RE2JS } from 're2js'
import { AvisoError } from '#shared/errors.ts'

/** Longest pattern: a schema's have some 50 characters, and the size of a compiled pattern is bounded by RE2 itself. */
const MAX_PATTERN_CHARACTERS = 1_000
/** `\k`, which the translation would take for the letter. */
const BACK_REFERENCE = /(?<!\\)(?:\\\\)*\\k/
/** JavaScript's white space, of which RE2 knows only a part. */
const WHITE_SPACE = String.raw`\t\n\x{0b}\f\r\x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}`

/**
 * Compiles a pattern, which must match from the beginning of a text, but not to its end, as in 1.x (Python's `re.match`). The syntax is that
 * of JavaScript, without what no linear engine can match.
 *
 * @returns whether a text matches.
 * @throws {AvisoError} `ERR_CONFIG` for a pattern that is malformed or not linear. The message names the pattern.
 */
export function compileLinearRegex(source: string): (text: string) => boolean {
  const shown = source.slice(0, 128)
  if (source.length > MAX_PATTERN_CHARACTERS)
    throw refused(`The regex "${shown}…" must not be longer than ${MAX_PATTERN_CHARACTERS} characters`)
  let regex: RE2JS
  try {
    // Never matched with: it refuses what only RE2 knows, and escapes that mean nothing, which the translation would pass over.
    void new RegExp(source, 'u')
    if (BACK_REFERENCE.test(source)) throw new SyntaxError('a back reference by name')
    regex = RE2JS.compile(`^(?:${RE2JS.translateRegExp(withWhiteSpace(source))})`)
  } catch (cause) {
    throw refused(
      `The regex "${shown}" cannot be used: it is malformed, or has what takes more than linear time, such as (?=…), (?!…), (?<=…) and \\1`,
      cause,
    )
  }
  return (text) => regex.matcher(text).find()
}

/** Writes `\s` and `\S` out. `\S` inside `[…]` stays, because a set cannot hold the opposite of a set there. */
function withWhiteSpace(source: string): string {
  let isInSet = false
  return source.replaceAll(/\\.|[[\]]/gsu, (token) => {
    if (token === '[') isInSet = true
    if (token === ']') isInSet = false
    if (token === String.raw`\s`) return isInSet ? WHITE_SPACE : `[${WHITE_SPACE}]`
    return token === String.raw`\S` && !isInSet ? `[^${WHITE_SPACE}]` : token
  })
}

function refused(message: string, cause?: unknown): AvisoError {
  return new AvisoError('ERR_CONFIG', message, { cause })
}
