/**
 * Claims of a verified token → who it is.
 *
 * @module
 */

import { isJsonObject, type JsonObject, type JsonValue } from '#shared/json/strict_json.ts'
import { isName } from './credential.ts'
import type { Identity } from './identity.ts'

/** Which claims say what. Names may go into objects with dots: `realm_access.roles`. */
export interface ClaimNames {
  readonly username: string
  readonly roles: string
  /** Absent: `realm` of {@link ClaimNames.fixedRealm} alone. */
  readonly realm?: string
  /** The realm where no claim says one. */
  readonly fixedRealm: string
}

/** A user of more roles is a mistake somewhere; the roles beyond are not looked at. */
const MAX_ROLES = 256

/**
 * @returns `undefined` where the claims name nobody: no user name, one that cannot be shown, a realm that is no text.
 */
export function toIdentity(
  claims: JsonObject,
  names: ClaimNames,
  provider: string,
): Omit<Identity, 'endsAt'> | undefined {
  const username = claimAt(claims, names.username)
  const realm = (names.realm === undefined ? undefined : claimAt(claims, names.realm)) ?? names.fixedRealm
  if (typeof username !== 'string' || !isName(username)) return undefined
  if (typeof realm !== 'string' || !isName(realm)) return undefined
  return { provider, realm, username, roles: textsAt(claims, names.roles), claims }
}

/** The value of a claim by its dotted name. A claim whose own name holds the dots wins. */
export function claimAt(claims: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: JsonValue | undefined = claims
  for (const part of name.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value
}

/** The texts of a claim: a list of them, or one alone. */
export function textsAt(claims: JsonObject, name: string): readonly string[] {
  const value = claimAt(claims, name)
  const listed = Array.isArray(value) ? (value as readonly JsonValue[]) : [value]
  return listed.filter((item) => typeof item === 'string').slice(0, MAX_ROLES)
}
