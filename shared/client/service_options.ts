/**
 * How programs and pages name a service and say who they are, the same for listening and publishing.
 *
 * @module
 */

import { ClientError } from './client_error.ts'
import { createCredentials, type Credentials } from './credentials.ts'
import type { Level, MessageLog } from './message_log.ts'

/** A service, and how it is called. */
export interface ServiceOptions {
  /** Address of the service, such as `https://aviso.example.org`. */
  readonly url: string
  /** A token, which is sent as `Authorization: Bearer`. Absent: none. */
  readonly token?: string
  /** Ends the call. */
  readonly signal?: AbortSignal
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs?: number
  /** Takes messages for people, such as why a connection was lost. Absent: nobody is told. */
  readonly log?: (level: Level, message: string) => void
  /** Makes requests in place of the runtime's own `fetch`, for example through a proxy. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** What the client's functions need of them. */
export interface ServiceConnection {
  readonly baseUrl: string
  readonly credentials: Credentials
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  readonly output: MessageLog
  readonly signal: AbortSignal
  readonly timeoutMs: number | undefined
}

/** @throws {ClientError} for an address that is none, and for a token that cannot be sent. */
export async function connectionOf(options: ServiceOptions): Promise<ServiceConnection> {
  const { url, token, signal = new AbortController().signal, timeoutMs } = options
  return {
    baseUrl: baseUrlOf(url),
    credentials: await createCredentials(
      token === undefined
        ? { authType: 'none', keyFile: '' }
        : { authType: 'bearer', keyFile: '', key: token },
      () => Promise.resolve(undefined),
    ),
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
    output: { log: (level, message) => options.log?.(level, message) },
    signal,
    timeoutMs,
  }
}

/** The address without what follows its path, and without a slash at its end. */
function baseUrlOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    throw new ClientError(`"${url}" is not the address of a service: write it like https://aviso.example.org`)
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '')
}
