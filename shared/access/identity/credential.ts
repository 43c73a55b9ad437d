/**
 * Reads the credential of a request, in every form that 1.x and 2.x clients send.
 *
 * | `Authorization` | `X-Auth-Type` | who sends it |
 * |---|---|---|
 * | `EmailKey email:key` | absent, `ecmwf` | ecFlow, pyaviso 1.0 |
 * | `Bearer token` | absent, `ecmwf`, `openid` | pyaviso 1.x and 2.x |
 * | `Basic base64` | absent, `plain` | pyaviso 1.x and 2.x |
 *
 * 1.x requires the second header for the last two forms. 2.x clients do not send it, so the form decides when it is missing.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { HandlerRequest } from '#shared/handler.ts'
import { decodeBase64 } from '#shared/bytes/base64.ts'

/** What 1.x clients call the way they authenticate. */
export type AuthType = 'ecmwf' | 'openid' | 'plain'

/** A well-formed credential. `header` is the `Authorization` value to hand on to an authentication server. */
export type Credential =
  | {
      readonly kind: 'bearer'
      readonly token: string
      readonly authType: AuthType | undefined
      readonly header: string
    }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string; readonly header: string }
  | { readonly kind: 'email_key'; readonly email: string; readonly token: string; readonly header: string }

/** What a request says about its sender. */
export type PresentedCredential =
  | { readonly kind: 'presented'; readonly credential: Credential }
  /** No credential, or one that cannot be read. `message` is for the client; it repeats nothing secret. */
  | { readonly kind: 'absent' | 'malformed'; readonly message: string }

/** Longest token that is read. Real tokens have some hundred bytes, tokens with many groups a few thousand. */
export const MAX_TOKEN_CHARACTERS = 8192
/** An address has at most 254 characters (RFC 5321); 320 is the sum of the bounds of its parts. */
const MAX_NAME_CHARACTERS = 320

/** Any number of spaces between them (RFC 9110 §11.4). What is handed on has one. */
const SCHEME_AND_REST = /^([A-Za-z][A-Za-z0-9-]{0,31}) +([\x21-\x7e]+)$/
/** RFC 7235 §2.1; JWTs and all known opaque tokens are of this form. */
const TOKEN68 = /^[A-Za-z0-9._~+/-]+={0,2}$/
/** No control characters, no invisible characters, and none that changes the direction of the text around it. */
// oxlint-disable-next-line no-control-regex -- the pattern excludes control characters
const NAME = /^[^\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+$/
/** An auth type that an error may repeat: too short to be a secret that was sent in the wrong header. */
const ECHOABLE = /^[a-z_-]{1,12}$/i
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const SCHEMES: ReadonlyMap<string, Credential['kind']> = new Map([
  ['emailkey', 'email_key'],
  ['bearer', 'bearer'],
  ['basic', 'basic'],
])

/** The forms that each `X-Auth-Type` stands for. */
const FORMS: Readonly<Record<AuthType, readonly Credential['kind'][]>> = {
  ecmwf: ['email_key', 'bearer'],
  openid: ['bearer'],
  plain: ['basic'],
}

/** Query parameters that some clients put tokens into. */
const QUERY_CREDENTIALS = ['access_token', 'token', 'api_key', 'apikey', 'authorization', 'jwt']

/**
 * Reads the credential of a request.
 *
 * @throws {AvisoError} `ERR_BAD_REQUEST` for more than one credential, and for a credential in the query, because proxies log queries.
 * @see Aviso 1.x `aviso_auth/authentication.py`, for the texts
 */
export function readCredential(request: HandlerRequest): PresentedCredential {
  refuseQueryCredentials(request.url)
  const header = request.headers.get('authorization')
  if (header === null) return { kind: 'absent', message: 'Missing Authorization header' }
  // Fetch joins repeated headers with a comma, and none of the forms contains a comma.
  if (header.includes(',')) {
    throw new AvisoError('ERR_BAD_REQUEST', 'Send one Authorization header with one credential')
  }
  return parseCredential(header, request.headers.get('x-auth-type'))
}

/** Parses the two headers. */
export function parseCredential(authorization: string, authType: string | null): PresentedCredential {
  const match = SCHEME_AND_REST.exec(authorization)
  if (match === null) {
    return malformed(authType === null ? 'Missing X-Auth-Type header' : 'Invalid Authorization header format')
  }
  if (authType !== null && !isAuthType(authType)) {
    const shown = ECHOABLE.test(authType) ? authType : 'use ecmwf, openid or plain'
    return malformed(`Unknown auth type: ${shown}`)
  }
  const [, scheme = '', rest = ''] = match
  const kind = SCHEMES.get(scheme.toLowerCase())
  if (kind === undefined || (authType !== null && !FORMS[authType].includes(kind))) {
    return malformed('Unsupported authorization scheme')
  }
  if (rest.length > MAX_TOKEN_CHARACTERS) return malformed('The credential is too long')
  const credential = parseForm(kind, rest, authType ?? undefined)
  return credential === undefined ? malformed(EXPECTED[kind]) : { kind: 'presented', credential }
}

const EXPECTED: Readonly<Record<Credential['kind'], string>> = {
  email_key: "Could not read authorization header, expected 'Authorization: EmailKey <email>:<key>'",
  bearer: "Could not read authorization header, expected 'Authorization: Bearer <token>'",
  basic: "Could not read authorization header, expected 'Authorization: Basic <base64 of user:password>'",
}

function parseForm(
  kind: Credential['kind'],
  rest: string,
  authType: AuthType | undefined,
): Credential | undefined {
  switch (kind) {
    case 'bearer':
      return TOKEN68.test(rest) ? { kind, token: rest, authType, header: `Bearer ${rest}` } : undefined
    case 'email_key':
      return parseEmailKey(rest)
    case 'basic':
      return parseBasic(rest)
  }
}

/**
 * Exactly one colon is allowed, because a token has none. 1.x takes the text after the last colon, so with two colons 1.x and this service
 * could read two different keys.
 */
function parseEmailKey(text: string): Credential | undefined {
  const colon = text.indexOf(':')
  if (colon === -1) return undefined
  const email = text.slice(0, colon)
  const token = text.slice(colon + 1)
  if (!isName(email) || !TOKEN68.test(token)) return undefined
  return { kind: 'email_key', email, token, header: `Bearer ${token}` }
}

function parseBasic(encoded: string): Credential | undefined {
  const bytes = decodeBase64(encoded)
  if (bytes === undefined) return undefined
  const text = decodeUtf8(bytes)
  const colon = text?.indexOf(':') ?? -1
  if (text === undefined || colon === -1) return undefined
  const username = text.slice(0, colon)
  if (!isName(username)) return undefined
  return { kind: 'basic', username, password: text.slice(colon + 1), header: `Basic ${encoded}` }
}

/** Whether a text is safe as a name in logs and addresses: short, visible, and without characters that hide or turn others. */
export function isName(text: string): boolean {
  return text.length <= MAX_NAME_CHARACTERS && NAME.test(text) && text.isWellFormed() && text.trim() === text
}

function isAuthType(text: string): text is AuthType {
  return Object.hasOwn(FORMS, text)
}

function malformed(message: string): PresentedCredential {
  return { kind: 'malformed', message }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

function refuseQueryCredentials(url: string): void {
  const start = url.indexOf('?')
  if (start === -1) return
  for (const name of new URLSearchParams(url.slice(start)).keys()) {
    if (!QUERY_CREDENTIALS.includes(name.toLowerCase())) continue
    throw new AvisoError(
      'ERR_BAD_REQUEST',
      'A credential in the address ends up in the logs of proxies; send it in the Authorization header',
      { details: { reason: 'query-credentials' } },
    )
  }
}
