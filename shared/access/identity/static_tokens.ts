/**
 * Identity by tokens that the operator gives out. Each token is a secret of the environment, and counts as long as it is there.
 *
 * @module
 */

import type { Clock } from '#shared/time/clock.ts'
import { AvisoError } from '#shared/errors.ts'
import { NOT_MINE, type Identity, type IdentityProvider } from './identity.ts'
import type { Secret } from '#shared/secret.ts'

/** A token and its owner. */
export interface StaticToken {
  readonly username: string
  readonly realm: string
  readonly roles: readonly string[]
  readonly token: Secret
}

export interface StaticTokenParts {
  readonly name: string
  readonly challengeRealm: string
  readonly tokens: readonly StaticToken[]
  readonly clock: Clock
}

/** 16 random characters of base64 have 96 bits. */
export const MIN_TOKEN_BYTES = 16
/** How long a verdict counts. It costs no question to a server, and open streams are checked much sooner. */
const VALID_MS = 3_600_000

/** No header can hold these, so nobody could ever send the token. */
// oxlint-disable-next-line no-control-regex -- the pattern is about control characters
const UNSENDABLE = /[\u0000-\u001f\u007f]/

/**
 * A provider for `Bearer token`, `EmailKey anything:token` and `Basic username:token`.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a token of two users, because it does not say who sends it, and for one with control characters.
 */
export function createStaticTokens(parts: StaticTokenParts): IdentityProvider {
  const { name, clock } = parts
  judgeTokens(parts.tokens)
  const owners = parts.tokens.map(({ token, username, realm, roles }) => {
    const identity: Identity = { provider: name, realm, username, roles, claims: {} }
    return { identity, token }
  })

  /** Compares every token to its end, so that the time it takes reveals nothing about any of them. */
  function ownerOf(token: string, username: string | undefined): Identity | undefined {
    let found: Identity | undefined
    for (const { identity, token: own } of owners) {
      const isOwn = isSame(token, own.reveal())
      if (isOwn && (username === undefined || username === identity.username)) found = identity
    }
    return found
  }

  return {
    name,
    challenges: [
      { scheme: 'Bearer', realm: parts.challengeRealm },
      { scheme: 'Basic', realm: parts.challengeRealm },
    ],
    identify(credential) {
      const identity =
        credential.kind === 'basic'
          ? ownerOf(credential.password, credential.username)
          : ownerOf(credential.token, undefined)
      // The token may belong to the next provider.
      if (identity === undefined) return NOT_MINE
      return { kind: 'identified', identity, validUntil: clock.monotonic() + VALID_MS }
    },
  }
}

function judgeTokens(tokens: readonly StaticToken[]): void {
  const owners = new Map<string, string>()
  const problems: string[] = []
  for (const { token, username } of tokens) {
    const text = token.reveal()
    // A secret that is missing is told with its place.
    if (text === '') continue
    if (UNSENDABLE.test(text))
      problems.push(
        `The token of ${username} has a line break or another control character, which no request can send`,
      )
    const other = owners.get(text)
    if (other !== undefined)
      problems.push(`The tokens of ${other} and ${username} are the same: give each user a token`)
    owners.set(text, username)
  }
  if (problems.length > 0) throw refused(problems.join('; '))
}

function refused(message: string): AvisoError {
  return new AvisoError('ERR_CONFIG', message)
}

/** Whether two texts are the same, in a time that depends only on the length of the first. */
function isSame(presented: string, own: string): boolean {
  let difference = presented.length ^ own.length
  for (let index = 0; index < presented.length; index++) {
    difference |= presented.charCodeAt(index) ^ own.charCodeAt(index % own.length)
  }
  return difference === 0
}
