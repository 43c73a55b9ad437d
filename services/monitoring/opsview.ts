/**
 * Reports checks to Opsview as passive checks, with the protocol of 1.x.
 *
 * @see reference/aviso-v1.md §4.4
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Logger } from '#shared/logger.ts'
import type { Secret } from '#shared/secret.ts'
import { fetchBounded, type BoundedAnswer, type FetchParts } from './checks/bounded_fetch.ts'
import type { CheckResult } from './checks/check.ts'

/** One Opsview server. */
export interface OpsviewServer {
  /** Address without a slash at its end. */
  readonly url: string
  readonly username: string
  readonly password: Secret
  /** Host that Opsview shows the checks under. */
  readonly serviceHost: string
}

export interface OpsviewParts extends FetchParts {
  readonly server: OpsviewServer
  readonly logger: Logger
}

/** Reports to one server. */
export interface OpsviewReporter {
  /** Submits every check. Failures are logged, and nothing is thrown. @returns the number of checks that the server accepted */
  report(checks: readonly CheckResult[]): Promise<number>
}

/** As in 1.x. */
const REQUEST_LIMIT_MS = 60_000
const ANSWER_LIMIT_BYTES = 256 * 1024
const UNAUTHORISED = 401

/** Makes a reporter. It logs in before its first report. */
export function createOpsviewReporter(parts: OpsviewParts): OpsviewReporter {
  const { logger, server } = parts
  let token: string | undefined

  async function submit(check: CheckResult): Promise<void> {
    token ??= await logIn(parts)
    let answer = await post(parts, check, token)
    if (answer.status === UNAUTHORISED) {
      // The login is renewed once. 1.x repeats it for ever.
      token = await logIn(parts)
      answer = await post(parts, check, token)
    }
    if (answer.status < 200 || answer.status > 299)
      throw new AvisoError('ERR_BAD_REQUEST', `Opsview answered with status ${answer.status}`)
  }
  return {
    async report(checks) {
      let taken = 0
      for (const check of checks) {
        try {
          await submit(check)
          taken++
        } catch (error) {
          const reason = isAvisoError(error) ? error.message : 'unknown'
          logger('warn', 'A check was not reported to Opsview', {
            check: check.name,
            host: server.serviceHost,
            reason,
          })
          // The other checks are not tried when the server is down or refuses the login.
          if (isAvisoError(error, 'ERR_STORE_UNAVAILABLE', 'ERR_UNAUTHENTICATED')) break
        }
      }
      return taken
    },
  }
}

/** The text that Opsview shows, followed by the figures that it draws. */
export function opsviewOutput({ message, metrics }: CheckResult): string {
  const figures = metrics.map(({ name, value, text, unit }) => `${name}=${text ?? value}${unit}; `)
  return `${message} ${figures.length === 0 ? '' : `| ${figures.join('')}`}`
}

/** The body of a submission. */
export function opsviewBody(check: CheckResult): string {
  return JSON.stringify({ set_state: { result: check.status, output: opsviewOutput(check) } })
}

/** @throws {AvisoError} `ERR_UNAUTHENTICATED` when the server gives no token. */
async function logIn(parts: OpsviewParts): Promise<string> {
  const { url, username, password } = parts.server
  const body = JSON.stringify({ username, password: password.reveal() })
  const { status, text } = await request(parts, `${url}/login`, {}, body)
  const token = status >= 200 && status <= 299 ? tokenOf(text) : undefined
  if (token === undefined)
    throw new AvisoError('ERR_UNAUTHENTICATED', `Opsview gave no token: its answer had status ${status}`)
  return token
}

function tokenOf(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer !== 'object' || answer === null || !('token' in answer)) return undefined
    // The token goes into a header, so only visible ASCII is accepted.
    return typeof answer.token === 'string' && /^[\u0021-\u007e]{1,4096}$/.test(answer.token)
      ? answer.token
      : undefined
  } catch {
    return undefined
  }
}

function post(parts: OpsviewParts, check: CheckResult, token: string): Promise<BoundedAnswer> {
  const { server } = parts
  const host = encodeURIComponent(server.serviceHost)
  const name = encodeURIComponent(`Passive Check: ${check.name}`)
  const headers = { 'X-Opsview-Username': server.username, 'X-Opsview-Token': token }
  return request(
    parts,
    `${server.url}/detail?hostname=${host}&servicename=${name}`,
    headers,
    opsviewBody(check),
  )
}

function request(
  parts: OpsviewParts,
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<BoundedAnswer> {
  const init = { method: 'POST', headers: { 'Content-type': 'application/json', ...headers }, body }
  return fetchBounded(parts, url, init, { timeoutMs: REQUEST_LIMIT_MS, limitBytes: ANSWER_LIMIT_BYTES })
}
