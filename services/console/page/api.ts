/**
 * Calls of the service's API, with the credential of the person who looks. The credential is kept in this module's memory, and nowhere else.
 *
 * @module
 */

import { createState } from './state.ts'

/** A refusal or failure, with the words of the API. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  /** The part of the request that is wrong. */
  readonly field: string | undefined
  readonly hint: string | undefined
  readonly body: Readonly<Record<string, unknown>>

  constructor(status: number, body: Readonly<Record<string, unknown>>, fallback: string) {
    const { message, code, field, hint } = body
    super(typeof message === 'string' ? message : fallback)
    this.name = 'ApiError'
    this.status = status
    this.code = typeof code === 'string' || typeof code === 'number' ? String(code) : ''
    this.field = typeof field === 'string' ? field : undefined
    this.hint = typeof hint === 'string' ? hint : undefined
    this.body = body
  }
}

/** A right of the person who looks. */
export interface Right {
  readonly right: string
  readonly event_type: string | null
  readonly keys: 'everything' | readonly string[]
  readonly by: string
}

/** The answer of `/api/v1/me`. */
export interface Me {
  readonly user: {
    readonly username: string
    readonly realm: string
    readonly roles: readonly string[]
  } | null
  readonly ends_at: string | null
  readonly rights: readonly Right[]
  readonly administer: { readonly allowed: boolean; readonly by: readonly string[] }
  readonly incomplete?: boolean
}

export interface Session {
  readonly phase: 'starting' | 'outside' | 'inside' | 'unreachable'
  readonly me?: Me | undefined
  /** Why the person is outside. */
  readonly reason?: string | undefined
  /** Whether a credential was given: only then can it be taken back. */
  readonly isSignedIn: boolean
}

export const session = createState<Session>({ phase: 'starting', isSignedIn: false })

/** The address of the service: this file is one folder below it. */
const BASE = new URL('..', import.meta.url)

/** Value of `Authorization`. It is never stored, and never part of an address. */
let credential: string | undefined

/** What a call sends. */
export interface CallOptions {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A credential in words: `Bearer …` where no scheme is named. */
export function toCredential(text: string): string {
  const given = text.trim()
  if (/^(?:Bearer|Basic|EmailKey) +\S+$/i.test(given)) return given
  if (/^[^\s:@]+@[^\s:@]+:\S+$/.test(given)) return `EmailKey ${given}`
  return `Bearer ${given}`
}

/** One request. @throws {ApiError} when the service refuses or fails; status 0 when it cannot be reached. */
export async function send(path: string, options: CallOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
  if (credential !== undefined) headers['authorization'] = credential
  const init: RequestInit = {
    headers,
    method: options.method ?? 'GET',
    credentials: 'omit',
    cache: 'no-store',
  }
  if (options.signal !== undefined) init.signal = options.signal
  if (options.body !== undefined) {
    init.body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
    headers['content-type'] = 'application/json'
  }
  let response: Response
  try {
    response = await fetch(new URL(path, BASE), init)
  } catch (error) {
    if (options.signal?.aborted === true) throw error
    throw new ApiError(0, {}, 'The service cannot be reached')
  }
  if (response.ok) return response
  const error = new ApiError(
    response.status,
    await readBody(response),
    `The service answered ${response.status}`,
  )
  if (response.status === 401) leave(error.message)
  throw error
}

/** One request with an answer in JSON. @throws {ApiError} */
export async function ask<Answer>(path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await send(path, options)
  // What the service's own API answers has the form that its documents describe.
  return (await response.json()) as Answer
}

async function readBody(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const body: unknown = await response.json().catch(() => undefined)
  return Object(body)
}

/** Signs in, or looks whether anything may be seen without. @param given A credential; absent: the one there is. */
export async function enter(given?: string): Promise<void> {
  if (given !== undefined) credential = given
  const isSignedIn = credential !== undefined
  try {
    const me = await ask<Me>('api/v1/me')
    // People without a token may see what is public. Where nothing is, they have to sign in.
    if (!isSignedIn && isNameless(me) && me.rights.length === 0) return leave()
    session.set({ phase: 'inside', me, reason: undefined, isSignedIn })
  } catch (error) {
    if (error instanceof ApiError && error.status > 0 && error.status < 500)
      leave(isSignedIn ? explain(error) : undefined)
    else session.set({ phase: 'unreachable', reason: messageOf(error) })
  }
}

/** Whether the service tells people apart, and does not know who this is. */
export function isNameless({ user, rights }: Me): boolean {
  return user === null && rights.every(({ by }) => by !== 'vars.identity')
}

/** Forgets the credential. */
export function leave(reason?: string): void {
  credential = undefined
  session.set({ phase: 'outside', me: undefined, reason, isSignedIn: false })
}

/** A refusal in words that say what to do. */
export function explain(error: ApiError): string {
  if (error.status === 401) return `The service does not know this token (401): ${error.message}`
  if (error.status === 403) return `You may not do this (403): ${error.message}`
  if (error.status === 429) return `Too many requests at a time (429): ${error.message}`
  return error.message
}

/** The words of an error for people. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError)
    return error.hint === undefined ? explain(error) : `${explain(error)}. ${error.hint}`
  return error instanceof Error ? error.message : 'Something failed'
}

/** Whether the person has a right for at least one event type. */
export function hasRight(me: Me | undefined, right: string): boolean {
  return me?.rights.some((held) => held.right === right) ?? false
}

/** A query: fields that were left empty are not part of it. */
export function toQuery(values: Readonly<Record<string, string | readonly string[] | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values))
    for (const each of typeof value === 'string' ? [value] : (value ?? []))
      if (each !== '') query.append(name, each)
  return query.toString()
}

/** The public address of the service, for commands that people copy. */
export function baseUrl(): string {
  return BASE.href.replace(/\/$/, '')
}
