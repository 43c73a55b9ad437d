/**
 * Conditional requests (RFC 9110 §13) for documents that rarely change.
 *
 * @module
 */

import { toBytes } from '#shared/bytes/bytes.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'

/** Characters of the tag: 96 bits of SHA-256, so that two documents never share one. */
const TAG_CHARACTERS = 24

/**
 * Answers with a document, or with 304 to a client that has it already. The document may be kept, and is asked for again at each use.
 *
 * @param answer A 200 whose body is text.
 * @param control Another `Cache-Control`, for a document that does not change.
 */
export async function answerUnlessKnown(
  request: HandlerRequest,
  answer: Answer,
  control = 'no-cache',
): Promise<Answer> {
  if (typeof answer.body !== 'string') return answer
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', toBytes(answer.body)))
  const etag = `"${[...digest]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .slice(0, TAG_CHARACTERS)}"`
  const headers: Answer['headers'] = { ...answer.headers, etag, 'cache-control': control }
  const known = request.headers.get('if-none-match')
  if (known === null || !isListed(known, etag)) return { ...answer, headers }
  const { 'content-type': _type, ...kept } = headers
  return { status: 304, headers: kept, body: null }
}

/** The weak comparison (RFC 9110 §8.8.3.2) with each tag of a list; `*` is any. */
function isListed(list: string, etag: string): boolean {
  if (list.trim() === '*') return true
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => tag.replace(/^W\//, '') === etag)
}
