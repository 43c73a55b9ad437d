/**
 * Lists of values as MARS writes them: `0/to/240/by/6`, `a/b/c`, and both mixed, such as `0/to/90/by/1/93/to/144/by/3/oper`.
 *
 * @module
 */

/** Most values of one list: as many as one run may have products. */
export const MAX_LISTED = 100_000

/** The values, or why there are none. */
export type Listed = { readonly values: readonly string[] } | { readonly reason: string }

const WHOLE = /^-?\d{1,9}$/

/**
 * Expands a list. Numbers of a range are written without zeros in front; a field's handler writes them as its keys have them. `by` may be left
 * out, and is 1 then.
 */
export function expandList(text: string): Listed {
  const tokens = text.split('/').map((token) => token.trim())
  const values: string[] = []
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? ''
    if (token === '') return refuse(text, 'has nothing between two slashes, or at an end')
    if (isWord(token, 'to') || isWord(token, 'by'))
      return refuse(text, `has "${token}" without a number before it`)
    if (!isWord(tokens[index + 1], 'to')) {
      values.push(token)
      continue
    }
    const hasBy = isWord(tokens[index + 3], 'by')
    const range = expandRange(text, [token, tokens[index + 2], hasBy ? tokens[index + 4] : '1'])
    if ('reason' in range) return range
    if (values.length + range.values.length > MAX_LISTED) return refuse(text, TOO_MANY)
    for (const value of range.values) values.push(value)
    index += hasBy ? 4 : 2
  }
  if (values.length > MAX_LISTED) return refuse(text, TOO_MANY)
  return { values }
}

const TOO_MANY = `has more than ${MAX_LISTED} values, which is more than a run may have products`

function expandRange(text: string, parts: readonly (string | undefined)[]): Listed {
  const wrong = parts.find((part) => part === undefined || !WHOLE.test(part))
  const [from = Number.NaN, to = Number.NaN, by = Number.NaN] = parts.map(Number)
  if (parts.includes(undefined)) return refuse(text, 'ends within a range: write it as 0/to/240/by/6')
  if (wrong !== undefined) return refuse(text, `has a range with "${wrong}", which is not a whole number`)
  if (by <= 0) return refuse(text, `has a range by ${by}: the step must be 1 or more`)
  if (to < from) return refuse(text, `has an empty range: ${to} is less than ${from}`)
  if ((to - from) / by >= MAX_LISTED) return refuse(text, TOO_MANY)
  return {
    values: Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => String(from + index * by)),
  }
}

function isWord(token: string | undefined, word: string): boolean {
  return token?.toLowerCase() === word
}

function refuse(text: string, reason: string): Listed {
  const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text
  return { reason: `"${shown}" ${reason}` }
}
