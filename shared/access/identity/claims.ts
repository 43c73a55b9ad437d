/**
 * Makes an identity from the claims of a verified token.
 *
 * @module
 */

import { isJsonObject, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { isName } from './credential.ts'
import type { Identity } from './identity.ts'

/** The names of the claims to read. A dot goes into an object: `realm_access.roles`. */
export interface ClaimNames {
  readonly username: string
  /** Claim with the user name of a token that lacks the first. Absent: such a token names no user. */
  readonly usernameElse?: string
  readonly roles: string
  /** Absent: every user has {@link ClaimNames.fixedRealm}. */
  readonly realm?: string
  /** The realm of a token without a realm claim. */
  readonly fixedRealm: string
}

/** Most roles that are read: a user with more is a mistake of the issuer. */
const MAX_ROLES = 256

/**
 * @returns the identity, or `undefined` when user name or realm are missing, not text, or not safe to show in logs.
 */
export function toIdentity(
  claims: JsonObject,
  names: ClaimNames,
  provider: string,
): Omit<Identity, 'endsAt'> | undefined {
  const { usernameElse } = names
  const username =
    claimAt(claims, names.username) ??
    (usernameElse === undefined ? undefined : claimAt(claims, usernameElse))
  const realm = (names.realm === undefined ? undefined : claimAt(claims, names.realm)) ?? names.fixedRealm
  if (typeof username !== 'string' || !isName(username)) return undefined
  if (typeof realm !== 'string' || !isName(realm)) return undefined
  return { provider, realm, username, roles: textsAt(claims, names.roles), claims }
}

/** The value of a claim by its dotted name. A claim whose own name contains the dots comes first. */
export function claimAt(claims: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: JsonValue | undefined = claims
  for (const part of name.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value
}

/** The texts of a claim, which is a list of texts or one text. */
export function textsAt(claims: JsonObject, name: string): readonly string[] {
  const value = claimAt(claims, name)
  const listed = Array.isArray(value) ? (value as readonly JsonValue[]) : [value]
  return listed.filter((item) => typeof item === 'string').slice(0, MAX_ROLES)
}
