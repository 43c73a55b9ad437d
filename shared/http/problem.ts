/**
 * Errors as problem details (RFC 9457), for clients that ask for them.
 *
 * @module
 */

import { parseJsonRecord } from '#shared/json/record.ts'
import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { chooseType } from './accept.ts'
import { addVary } from './vary.ts'

/** Media type of problem details. */
export const PROBLEM_TYPE = 'application/problem+json'
const JSON_TYPE = 'application/json'

/** The titles of a problem without a type of its own are the phrases of the statuses (RFC 9457 §4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/**
 * The answer as it is, or an error of it as problem details where the client prefers them. Members of our own stay beside the standard's,
 * and the text stands once.
 */
export function asProblem(request: Pick<HandlerRequest, 'headers'>, answer: Answer): Answer {
  const { status, headers, body } = answer
  if (status < 400 || typeof body !== 'string' || headers['content-type'] !== JSON_TYPE) return answer
  const accept = request.headers.get('accept')
  if (accept === null || chooseType(accept, [JSON_TYPE, PROBLEM_TYPE]) !== PROBLEM_TYPE) return answer
  const { message, details, error: _label, detail, ...members } = parseJsonRecord(body) ?? {}
  const text = detail ?? message
  const problem = {
    ...members,
    ...(details !== undefined && details !== text && { details }),
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: text,
  }
  return {
    status,
    headers: addVary({ ...headers, 'content-type': PROBLEM_TYPE }, 'Accept'),
    body: JSON.stringify(problem),
  }
}
