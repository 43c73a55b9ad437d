/**
 * Generates the reference of error codes from the table of errors and from real answers.
 *
 * @module
 */

import { AvisoError, ERRORS, type AvisoErrorCode } from '#shared/errors.ts'
import { toResponse } from '#shared/handler.ts'
import { errorResponse } from '#shared/http/respond.ts'
import { silentLogger } from '#shared/logger.ts'
import { code, generatedDocument, table } from './markdown.ts'

const INTRODUCTION = `An error answer has the code in its member \`code\`: clients of 1.x read ours, clients of 2.x the name beside it.
[services/README.md](../services/README.md#routes) describes the other members.

A 503 to a write also has \`outcome\`. With \`none\`, nothing was stored. With \`unknown\`, the notification may have been
stored: repeat the request with the same id, and it is stored only once. \`Retry-After\` is the shortest wait in seconds.`

/** The text of `shared/ERRORS.md`. */
export async function errorCodesText(): Promise<string> {
  const codes = Object.keys(ERRORS) as AvisoErrorCode[]
  const head = ['code', 'name in 2.x', 'status', '`Retry-After`', 'meaning', 'what to do']
  const rows = await Promise.all(codes.map(rowOf))
  return generatedDocument('Error codes', '`shared/errors.ts`', [INTRODUCTION, table(head, rows)])
}

async function rowOf(name: AvisoErrorCode): Promise<readonly string[]> {
  const { meaning, remedy } = ERRORS[name]
  const answer = errorResponse(new AvisoError(name, meaning), {
    requestId: 'reference',
    logger: silentLogger,
    generation: 2,
  })
  const response = toResponse(answer)
  const body = (await response.json()) as { readonly code: string }
  const retryAfter = response.headers.get('retry-after') ?? ''
  return [code(name), code(body.code), String(response.status), retryAfter, meaning, remedy]
}
