/**
 * Identity by auth-o-tron: the service sends the client's credential to that server. The server answers with a token, which is verified
 * here. 1.x only decoded that token, so anyone able to answer in the server's place could impersonate any user.
 *
 * @see Aviso 1.x `aviso_auth/authentication.py`; aviso-server `auth` (mode `direct`)
 * @module
 */

import { readStrictObject } from '#shared/json/strict_json.ts'
import type { JsonObject } from '#shared/json/strict_json.ts'
import { parseChallenges, type Challenge } from './challenge.ts'
import { toIdentity, type ClaimNames } from './claims.ts'
import type { Credential } from './credential.ts'
import { contractBroken, type Answer, type DependencyParts } from './dependency.ts'
import type { Identity, IdentityProvider, Verdict } from './identity.ts'
import { createOpaqueVerdicts, type OpaqueLimits } from './opaque.ts'
import type { TokenVerifier } from './token_verifier.ts'
import type { Loaded } from './verdict_cache.ts'

export interface AuthOTronParts extends DependencyParts {
  readonly name: string
  /** Address of the server, without `/authenticate`. */
  readonly baseUrl: string
  /** Verifies the tokens that the server answers with. */
  readonly verifier: TokenVerifier
  readonly limits?: Partial<OpaqueLimits>
}

/** The realm that 1.x names in its challenge. */
const REALM = 'auth-o-tron'
const CHALLENGES: readonly Challenge[] = [
  { scheme: 'Bearer', realm: REALM },
  { scheme: 'Basic', realm: REALM },
]
const NAMES: ClaimNames = { username: 'username', roles: 'roles', realm: 'realm', fixedRealm: 'unknown' }
const BEARER = /^Bearer ([^\s]+)$/i
/** Members of a JSON answer that hold the token when the header does not (aviso-server reads them too). */
const TOKEN_MEMBERS = ['token', 'jwt', 'access_token']
const JSON_LIMITS = { maxDepth: 4, maxNames: 32, maxArray: 32 }

/** A provider that accepts every form of credential. */
export function createAuthOTron(parts: AuthOTronParts): IdentityProvider {
  const { name, verifier, clock } = parts
  const opaque = createOpaqueVerdicts(parts, parts)
  const url = `${parts.baseUrl.replace(/\/+$/, '')}/authenticate`

  async function load(credential: Credential): Promise<Loaded<Verdict>> {
    const answer = await opaque.ask({ authorization: credential.header }, url)
    const { status, headers } = answer
    if (status === 401 || status === 403) {
      return opaque.no(`${name} says ${status}`, parseChallenges(headers.get('www-authenticate')))
    }
    if (status < 200 || status > 299) throw contractBroken(parts, name, `status ${status}`)
    const token = tokenOf(answer)
    if (token === undefined) throw contractBroken(parts, name, 'no token in the answer')
    const outcome = await verifier.verify(token)
    // An invalid token of the server is a fault of the server. It says nothing about the client.
    if (outcome.kind === 'refused') throw contractBroken(parts, name, `its token: ${outcome.reason}`)
    const identity = toIdentity(outcome.claims, NAMES, name)
    if (identity === undefined || !isConsistent(identity, outcome.claims)) {
      throw contractBroken(parts, name, 'its token names another user')
    }
    return opaque.yes(identity, outcome.endsAt - clock.now())
  }

  return {
    name,
    challenges: CHALLENGES,
    identify: (credential, options) => opaque.verdict(credential, options, () => load(credential)),
  }
}

/** The server builds `sub` from realm and user name, so they must agree. */
function isConsistent({ realm, username }: Identity, claims: JsonObject): boolean {
  return claims['sub'] === undefined || claims['sub'] === `${realm}-${username}`
}

function tokenOf({ headers, body }: Answer): string | undefined {
  const header = headers.get('authorization')
  if (header !== null) return BEARER.exec(header)?.[1]
  const message = readStrictObject(body, JSON_LIMITS)
  const token = TOKEN_MEMBERS.map((member) => message?.[member]).find((value) => value !== undefined)
  return typeof token === 'string' ? token : undefined
}
