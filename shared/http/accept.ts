/**
 * Reads `Accept` (RFC 9110 §12.5.1): which of the types that there are does a client want most?
 *
 * @module
 */

/** One range of the header, such as `text/*;q=0.5`. */
interface MediaRange {
  readonly type: string
  readonly subtype: string
  /** Media type parameters in lower case, such as `charset=utf-8`; they make a range narrower. */
  readonly parameters: readonly string[]
  /** 0 to 1; 0: not acceptable. */
  readonly quality: number
}

/** Ranges of a header that are looked at. Clients send a handful. */
const MAX_RANGES = 64
const TOKEN = "[\\w!#$%&'*+.^`|~-]+"
const RANGE = new RegExp(`^(${TOKEN})/(${TOKEN})$`)
const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/
/** Commas and semicolons inside a quoted string separate nothing. */
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"'
const ELEMENTS = new RegExp(`(?:${QUOTED}|[^",])+`, 'g')
const PARTS = new RegExp(`(?:${QUOTED}|[^";])+`, 'g')

/**
 * Chooses a media type.
 *
 * @param header Value of `Accept`; `null`: the client takes everything.
 * @param offered Types that there are, the preferred first, in lower case and without parameters.
 * @returns The one with the highest quality, of several the first; `undefined` when the client wants none of them.
 */
export function chooseType<Type extends string>(
  header: string | null,
  offered: readonly Type[],
): Type | undefined {
  const ranges = header === null ? [] : readRanges(header)
  // A header that names nothing readable says nothing.
  if (ranges.length === 0) return offered[0]
  let best: Type | undefined
  let highest = 0
  for (const type of offered) {
    const quality = qualityOf(type, ranges)
    if (quality <= highest) continue
    highest = quality
    best = type
  }
  return best
}

/** The quality by the most specific range that covers the type (RFC 9110 §12.5.1). */
function qualityOf(offered: string, ranges: readonly MediaRange[]): number {
  const [type = '', subtype = ''] = offered.split('/')
  let specific = -1
  let found = 0
  for (const range of ranges) {
    if (range.type !== '*' && range.type !== type) continue
    if (range.subtype !== '*' && range.subtype !== subtype) continue
    // What there is has no parameter but its charset, which is UTF-8.
    if (!range.parameters.every((parameter) => /^charset="?utf-?8"?$/.test(parameter))) continue
    const level =
      (range.type === '*' ? 0 : 2) + (range.subtype === '*' ? 0 : 2) + (range.parameters.length > 0 ? 1 : 0)
    if (level < specific) continue
    found = level === specific ? Math.max(found, range.quality) : range.quality
    specific = level
  }
  return found
}

function readRanges(header: string): readonly MediaRange[] {
  const elements = (header.toLowerCase().match(ELEMENTS) ?? []).slice(0, MAX_RANGES)
  return elements.flatMap((element) => {
    const [range = '', ...parameters] = (element.match(PARTS) ?? []).map((part) => part.trim())
    const match = RANGE.exec(range)
    if (match === null) return []
    const [, type = '', subtype = ''] = match
    const place = parameters.findIndex((parameter) => /^q\s*=/.test(parameter))
    const weight = place === -1 ? undefined : parameters[place]
    return [
      {
        type,
        subtype,
        parameters: place === -1 ? parameters : parameters.slice(0, place),
        quality: weight === undefined ? 1 : weightOf(weight),
      },
    ]
  })
}

/** A weight that cannot be read counts as 1, as if it were not there. */
function weightOf(text: string): number {
  const match = QUALITY.exec(text)
  return match === null ? 1 : Number(match[1])
}
