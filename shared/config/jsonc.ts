/**
 * JSON with comments, as wrangler reads it: `//` and block comments, and a comma behind the last element.
 *
 * @module
 */

/** A text in quotes, a comment, or a comma that only comments and space divide from a closing bracket. */
const TOKENS = /"(?:[^"\\]|\\.)*"?|\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|,(?=(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*[}\]])/g

/** @returns the text as plain JSON. Comments become spaces, so that places in messages are those of the file. */
export function withoutComments(text: string): string {
  return text.replaceAll(TOKENS, (token) => (token.startsWith('"') ? token : token.replaceAll(/[^\n]/g, ' ')))
}
