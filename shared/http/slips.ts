/**
 * Recognises the usual slips of a body that is no JSON: what the shell, the editor or the tool did to it, and how to send it right.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { HandlerHeaders } from '#shared/handler.ts'

/** Media type of JSON documents, one in a line. */
export const LINES_TYPE = 'application/x-ndjson'

/** Bytes of a body that are looked at for what it begins with. */
const LOOKED_AT_BYTES = 4096

/** A body as it came. */
export interface SentBody {
  readonly bytes: Uint8Array
  /** Media type without parameters, in lower case. */
  readonly type: string
}

/** One slip: whether it was made, and what to do instead. */
type Slip = readonly [isMade: (body: SentBody, text: string) => boolean, hint: string]

const isLines = ({ type }: SentBody): boolean => /^application\/(?:x-ndjson|ndjson|jsonl)$/.test(type)
const beginsWith = ({ bytes }: SentBody, ...first: readonly number[]): boolean =>
  first.every((byte, index) => bytes[index] === byte)

/** The most certain first. */
const SLIPS: readonly Slip[] = [
  [
    (body) =>
      beginsWith(body, 0xff, 0xfe) || beginsWith(body, 0xfe, 0xff) || body.bytes.subarray(0, 2).includes(0),
    'The body is UTF-16, as PowerShell writes files: save it as UTF-8',
  ],
  [
    (body) => beginsWith(body, 0x1f, 0x8b) || beginsWith(body, 0x28, 0xb5, 0x2f, 0xfd),
    'The body is compressed: send it as it is',
  ],
  [
    (body) => beginsWith(body, 0xef, 0xbb, 0xbf),
    'The body begins with a byte order mark (BOM): save it as UTF-8 without one',
  ],
  [
    (_body, text) => text.startsWith('@'),
    'The body is the name of a file, not what is in it: curl reads a file with --data-binary @FILE, without a space behind @',
  ],
  [
    (_body, text) => text.startsWith("'"),
    'The body begins with a single quote: the shell of Windows does not take these away. Put the JSON into a file and send it with --data-binary @FILE',
  ],
  [
    ({ type }, text) => type === 'multipart/form-data' || /^--[^\n]*\r?\nContent-Disposition:/i.test(text),
    'The body is a form with parts (curl -F): send the JSON alone, with --data-binary @FILE',
  ],
  [
    (_body, text) => /^%7b/i.test(text) || /^[\w.%+-]+=/.test(text),
    'The body is an encoded form: send JSON, such as {"event_type":"…","identifier":{…}}',
  ],
  [(_body, text) => text.startsWith('<'), 'The body is XML or HTML: send JSON'],
  [
    (_body, text) => /^\{\s*(?:[A-Za-z_][\w-]*\s*:|\\")/.test(text),
    'The names have no quotes of their own: the shell took them away. Put the JSON into a file and send it with --data-binary @FILE',
  ],
  [(_body, text) => /^[[{]+\s*'/.test(text), 'JSON has double quotes: Python writes it with json.dumps()'],
  [
    (body, text) => isLines(body) && /\}\s*\{/.test(text),
    'Several notifications stand in one line: curl -d takes line ends away, --data-binary keeps them',
  ],
  [
    (body, text) => isLines(body) && /^[[{]\s*$/.test(text),
    'In a stream each notification is one line: jq -c writes them so',
  ],
  [
    (body, text) => !isLines(body) && /\}\s*\{/.test(text),
    `The body has several JSON documents: send them with Content-Type: ${LINES_TYPE}, or as an array`,
  ],
  [(_body, text) => /^(?:---\s|[A-Za-z_][\w-]*:\s)/.test(text), 'The body looks like YAML: send JSON'],
]

/** The media type without its parameters, in lower case; empty where there is none. */
export function mediaTypeOf(headers: HandlerHeaders): string {
  const value = headers.get('content-type') ?? ''
  const end = value.indexOf(';')
  return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase()
}

/** @returns what was probably meant, for a body that is no JSON; `undefined` when nothing is known of it. */
export function hintFor(body: SentBody): string | undefined {
  const text = toText(body.bytes.subarray(0, LOOKED_AT_BYTES)).trim()
  return SLIPS.find(([isMade]) => isMade(body, text))?.[1]
}

/** The error with a `hint` beside its message, where a body is no JSON for a reason that is known. Any other error is returned as it is. */
export function withHint(error: unknown, body: SentBody): unknown {
  if (!isAvisoError(error, 'ERR_INVALID_JSON')) return error
  const hint = hintFor(body)
  if (hint === undefined) return error
  return new AvisoError(error.code, error.message, {
    details: { ...error.details, hint },
    cause: error.cause,
  })
}
