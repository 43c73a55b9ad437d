/**
 * Identity by the older ECMWF server: the service sends it the key, and the server answers with the owner of the key.
 *
 * @see Aviso 1.0 `aviso_auth/authentication.py` (`who-am-i`)
 * @module
 */

import { readStrictObject } from '#shared/json/strict_json.ts'
import type { Challenge } from './challenge.ts'
import { isName, type Credential } from './credential.ts'
import { contractBroken, type DependencyParts } from './dependency.ts'
import { NOT_MINE, type Identity, type IdentityProvider, type Verdict } from './identity.ts'
import { createOpaqueVerdicts, type OpaqueLimits } from './opaque.ts'
import type { Loaded } from './verdict_cache.ts'

export interface WhoAmIParts extends DependencyParts {
  readonly name: string
  /** Full address, e.g. `https://api.ecmwf.int/v1/who-am-i`. */
  readonly url: string
  /** Realm of all users of the server. */
  readonly realm: string
  readonly limits?: Partial<OpaqueLimits>
}

const JSON_LIMITS = { maxDepth: 6, maxNames: 128, maxArray: 1024 }

/** A provider for `EmailKey`, and for `Bearer` when the client sends `X-Auth-Type: ecmwf`. */
export function createWhoAmI(parts: WhoAmIParts): IdentityProvider {
  const { name, realm, url } = parts
  const opaque = createOpaqueVerdicts(parts, parts)
  const challenge: Challenge = {
    scheme: 'EmailKey',
    realm,
    info: 'Authenticate with ECMWF API credentials <email>:<key>',
  }

  async function load(token: string, email: string | undefined): Promise<Loaded<Verdict>> {
    const { status, body } = await opaque.ask({ 'x-ecmwf-key': token }, url)
    if (status === 401 || status === 403) return opaque.no(`${name} says ${status}`)
    if (status !== 200) throw contractBroken(parts, name, `status ${status}`)
    const claims = readStrictObject(body, JSON_LIMITS)
    const username = claims?.['uid']
    const owner = claims?.['email']
    if (claims === undefined || typeof username !== 'string' || !isName(username)) {
      throw contractBroken(parts, name, 'no user in the answer')
    }
    if (email !== undefined) {
      if (typeof owner !== 'string') throw contractBroken(parts, name, 'no email in the answer')
      // Another user's key, or a mistyped address: 1.x refuses it. Not remembered, because the server may have mixed up two users.
      if (owner.toLowerCase() !== email.toLowerCase()) return { ...opaque.no('email of another'), keepMs: 0 }
    }
    const identity: Identity = { provider: name, realm, username, roles: [], claims }
    return opaque.yes(identity)
  }

  return {
    name,
    challenges: [challenge],
    identify(credential, options) {
      if (!isForMe(credential)) return NOT_MINE
      const email = credential.kind === 'email_key' ? credential.email : undefined
      return opaque.verdict(credential, options, () => load(credential.token, email))
    },
  }
}

function isForMe(credential: Credential): credential is Exclude<Credential, { kind: 'basic' }> {
  if (credential.kind === 'bearer') return credential.authType === 'ecmwf'
  return credential.kind === 'email_key'
}
