/**
 * The identity that a provider would give to a user, for questions about what the user may do. No provider is asked.
 *
 * @module
 */

import type { Identity } from '#shared/access/identity/identity.ts'
import type { IdentitySettings } from '#shared/access/identity/settings.ts'
import { hint } from '#shared/closest.ts'
import { AvisoError } from '#shared/errors.ts'
import { usersOf, type PossibleUser } from './policy.ts'

/** A user as the question names them. What is left out is that of the user's token in the configuration. */
export interface NamedUser {
  readonly username: string
  readonly realm?: string | undefined
  readonly roles?: readonly string[] | undefined
  /** Pairs such as `team=x`, or `team=x,y`. */
  readonly claims?: readonly string[] | undefined
}

/** How the question is asked, for messages: names of flags or of parameters. */
export interface Asked {
  readonly realm: string
  readonly claim: string
}

/** Where there are no identities. No realm can have this name. */
export const NO_REALM = ''

/** @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`) for a user that no provider knows, or whose realm is not clear. */
export function assumeIdentity(
  { username, realm: named, roles, claims = [] }: NamedUser,
  settings: IdentitySettings,
  asked: Asked,
): Identity {
  const users = settings === 'none' ? [] : settings.providers.flatMap(usersOf)
  const known = users.filter(
    (user) => user.username === username && (named === undefined || user.realm === named),
  )
  const among = known.length > 0 ? known : users
  const realm = named ?? (settings === 'none' ? NO_REALM : realmOf(username, among, asked))
  const own = known.find((user) => user.realm === realm)
  return {
    provider: 'explain-access',
    realm,
    username,
    roles: roles ?? own?.roles ?? [],
    claims: claimsOf(claims, asked),
  }
}

function realmOf(username: string, users: readonly PossibleUser[], asked: Asked): string {
  // Tokens have their own users, and this one may be another provider's.
  const others = users.filter((user) => user.username === undefined || user.username === username)
  const realms = [...new Set(others.map(({ realm }) => realm))]
  const [only] = realms
  if (realms.length === 1 && only !== undefined) return only
  const known = realms.filter((realm) => realm !== undefined)
  if (realms.length === 0) {
    const names = users.flatMap((user) => user.username ?? [])
    throw refuse(`No provider knows a user ${username}: ${hint(username, names)}`, 'user')
  }
  const such = known.length === 0 ? '' : `, such as ${known.join(' or ')}`
  throw refuse(`Say with ${asked.realm} which realm ${username} is of${such}`, 'realm')
}

function claimsOf(pairs: readonly string[], { claim }: Asked): Identity['claims'] {
  const claims = new Map<string, string[]>()
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    if (at < 1)
      throw refuse(
        `Not a name and its value: ${pair}. Write ${claim} NAME=VALUE, or NAME=VALUE,VALUE`,
        'claim',
      )
    const name = pair.slice(0, at)
    claims.set(name, [...(claims.get(name) ?? []), ...pair.slice(at + 1).split(',')])
  }
  return Object.fromEntries(claims)
}

function refuse(message: string, field: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field } })
}
