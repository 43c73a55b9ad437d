/**
 * What an answer to a bad input must be, whoever carried it: in one process through the Fetch handler, or over a socket to any runtime.
 *
 * @module
 */

import { CANARY } from '../support/tokens.ts'
import { JOE_TOKEN, OPERATOR_TOKEN, PROVIDER_TOKEN } from '../support/auth_servers_system.ts'
import type { HostileRow, Sender } from './row.ts'

/** Far above what any row takes, far below what would be felt; two cores run everything. */
const ANSWER_LIMIT_MS = 1000
/** Longest message: no bad input comes back at length. */
const MAX_MESSAGE_CHARACTERS = 600

const SENDERS: Readonly<Record<Sender, Readonly<Record<string, string>>>> = {
  nobody: {},
  joe: { authorization: `Bearer ${JOE_TOKEN}` },
  provider: { authorization: `Bearer ${PROVIDER_TOKEN}` },
  operator: { authorization: `Bearer ${OPERATOR_TOKEN}` },
}

/** An answer and what it cost. */
export interface HostileAnswer {
  readonly status: number
  readonly headers: Headers
  /** Of a stream: nothing. */
  readonly text: string
  readonly tookMs: number
  /** Questions to the servers that identity and policy depend on. */
  readonly asked: number
}

/** The request of a row to the service at `baseUrl`. */
export function requestOf(row: HostileRow, baseUrl: string): Request {
  const { method = 'POST', path, headers = {}, body, from = 'joe' } = row
  const init = { method, headers: { ...SENDERS[from], ...headers }, ...(body !== undefined && { body }) }
  return new Request(baseUrl + path, init as RequestInit)
}

/** Whether the answer goes on for ever. */
export function isStream(path: string, status: number): boolean {
  return status === 200 && path.includes('watch')
}

/** @returns What is wrong with the answer, the status aside. */
export function problemsOf(row: HostileRow, answer: HostileAnswer): readonly string[] {
  const { status, headers, text, tookMs, asked } = answer
  const problems: string[] = []
  const check = (isRight: boolean, problem: string): void => {
    if (!isRight) problems.push(problem)
  }
  check(row.asks === true || asked === 0, 'another server was asked')
  check(tookMs < ANSWER_LIMIT_MS, `${Math.round(tookMs)} ms`)
  check(!`${text}${[...headers].join()}`.includes(CANARY), 'a secret in the answer')
  check(!headers.has('access-control-allow-credentials'), 'pages of other origins may send credentials')
  check(!headers.has('access-control-allow-methods'), 'pages of other origins may go on after a preflight')
  if (status >= 400 && row.method !== 'HEAD') {
    check(isErrorBody(text), `no error body: ${text.slice(0, 80)}`)
    check(headers.get('cache-control')?.includes('no-store') === true, 'a cache may keep it')
  }
  if (status === 401) check(headers.has('www-authenticate'), 'no challenge')
  if (status === 429 || status === 503) check(headers.has('retry-after'), 'no Retry-After')
  return problems
}

function isErrorBody(text: string): boolean {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' && message.length > 0 && message.length < MAX_MESSAGE_CHARACTERS
  } catch {
    return false
  }
}
