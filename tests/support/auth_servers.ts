/**
 * Stand-ins for the servers that identity and policy depend on. They speak the protocols of the real ones as Aviso 1.x uses them, with a
 * switch for each misbehaviour and for revocation.
 *
 * @module
 */

import type { JWK } from 'jose'
import { CANARY, secondsAt, SHARED_SECRET, signShared } from './tokens.ts'
import { startRawServer, type RawServer } from './auth_servers_socket.ts'

export { MISBEHAVIOURS, type Misbehaviour } from './auth_servers_socket.ts'

/** Somebody auth-o-tron knows. */
export interface KnownUser {
  readonly username: string
  readonly realm?: string
  readonly roles?: readonly string[]
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** Faults of auth-o-tron's own, besides those of any server. */
export type TokenFault =
  | 'no_header'
  | 'not_bearer'
  | 'empty_token'
  | 'unsigned'
  | 'other_secret'
  | 'expired'
  | 'other_issuer'
  | 'other_audience'
  | 'wrong_user'
  | 'no_username'

/** auth-o-tron. */
export interface AuthOTronStandIn extends RawServer {
  readonly issuer: string
  /** `Authorization` value → user: `Bearer <token>`, `Basic <base64>`. */
  readonly users: Map<string, KnownUser>
  fault: TokenFault | undefined
}

export const AUTH_O_TRON_ISSUER = 'authotron-test'
/** The challenge it answers to what it does not know. */
export const AUTH_O_TRON_CHALLENGE = 'Bearer realm="ecmwf", Basic realm="localrealm"'

/** Starts auth-o-tron: `GET /authenticate` answers with a token of its own in the `Authorization` header. */
export async function startAuthOTron(users: Readonly<Record<string, KnownUser>>): Promise<AuthOTronStandIn> {
  const known = new Map(Object.entries(users))
  const server = await startRawServer(async ({ method, target, headers }) => {
    if (method !== 'GET' || target !== '/authenticate') return { status: 404 }
    const user = known.get(headers.get('authorization') ?? '')
    if (user === undefined) return { status: 401, headers: { 'www-authenticate': AUTH_O_TRON_CHALLENGE } }
    const authorization = await authorizationOf(user, standIn.fault)
    return { status: 200, headers: authorization === undefined ? {} : { authorization } }
  })
  const standIn: AuthOTronStandIn = Object.assign(server, {
    issuer: AUTH_O_TRON_ISSUER,
    users: known,
    fault: undefined,
  })
  return standIn
}

async function authorizationOf(user: KnownUser, fault: TokenFault | undefined): Promise<string | undefined> {
  const { username, realm = 'ecmwf', roles = [], attributes = {} } = user
  const iat = secondsAt(Date.now()) - (fault === 'expired' ? 7200 : 0)
  const claims = {
    iss: fault === 'other_issuer' ? 'https://evil.test' : AUTH_O_TRON_ISSUER,
    sub: fault === 'wrong_user' ? `${realm}-somebody-else` : `${realm}-${username}`,
    iat,
    exp: iat + 3600,
    roles: [...roles],
    realm,
    scopes: {},
    attributes,
    ...(fault !== 'no_username' && { username }),
    ...(fault === 'other_audience' && { aud: 'another-service' }),
  }
  const token = await signShared(claims, fault === 'other_secret' ? `${SHARED_SECRET}-other` : SHARED_SECRET)
  switch (fault) {
    case 'no_header':
      return undefined
    case 'not_bearer':
      return `Token ${token}`
    case 'empty_token':
      return 'Bearer '
    case 'unsigned':
      return `Bearer ${token.slice(0, token.lastIndexOf('.') + 1)}`
    default:
      return `Bearer ${token}`
  }
}

/** The older ECMWF server. */
export interface WhoAmIStandIn extends RawServer {
  /** Key → whose it is. */
  readonly keys: Map<string, { readonly uid?: unknown; readonly email?: unknown }>
}

/** Starts who-am-i: `GET /v1/who-am-i` with `X-ECMWF-Key`. */
export async function startWhoAmI(
  keys: Readonly<Record<string, { readonly uid?: unknown; readonly email?: unknown }>>,
): Promise<WhoAmIStandIn> {
  const known = new Map(Object.entries(keys))
  const server = await startRawServer(({ method, target, headers }) => {
    if (method !== 'GET' || target !== '/v1/who-am-i') return { status: 404 }
    const owner = known.get(headers.get('x-ecmwf-key') ?? '')
    return owner === undefined ? { status: 403 } : { status: 200, body: JSON.stringify(owner) }
  })
  return Object.assign(server, { keys: known })
}

/** A record of ECPDS' list. */
export interface DestinationRecord {
  readonly name?: unknown
  readonly active?: unknown
}

/** ECPDS. */
export interface EcpdsStandIn extends RawServer {
  /** User → records. */
  readonly users: Map<string, readonly DestinationRecord[]>
  /** What it answers instead of a list, where set. */
  raw: string | undefined
}

export const ECPDS_ACCOUNT = 'aviso-service'
export const ECPDS_PASSWORD = `${CANARY}-ecpds-password`
export const ECPDS_PATH = '/ecpds/v1/destination/list'

/** Active destinations of these names. */
export function active(...names: readonly string[]): readonly DestinationRecord[] {
  return names.map((name) => ({ name, active: true, comment: 'made for a test' }))
}

/** Starts ECPDS: `GET /ecpds/v1/destination/list?id=<user>` with the service's account. */
export async function startEcpds(
  users: Readonly<Record<string, readonly DestinationRecord[]>>,
): Promise<EcpdsStandIn> {
  const known = new Map(Object.entries(users))
  const account = `Basic ${btoa(`${ECPDS_ACCOUNT}:${ECPDS_PASSWORD}`)}`
  const server = await startRawServer(({ method, target, headers }) => {
    const url = new URL(target, 'http://ecpds.test')
    if (method !== 'GET' || url.pathname !== ECPDS_PATH) return { status: 404 }
    if (headers.get('authorization') !== account) return { status: 401 }
    if (standIn.raw !== undefined) return { status: 200, body: standIn.raw }
    const user = url.searchParams.get('id') ?? ''
    const destinationList = known.get(user)
    return {
      status: 200,
      body: JSON.stringify(
        destinationList === undefined
          ? { success: 'no', error: `User ${user} not found` }
          : { destinationList, success: 'yes' },
      ),
    }
  })
  const standIn: EcpdsStandIn = Object.assign(server, { users: known, raw: undefined })
  return standIn
}

/** An issuer's key set. */
export interface KeySetStandIn extends RawServer {
  keys: readonly JWK[]
}

/** Starts an endpoint that publishes keys at `/keys`. */
export async function startKeySet(keys: readonly JWK[]): Promise<KeySetStandIn> {
  const server = await startRawServer(({ target }) =>
    target === '/keys' ? { status: 200, body: JSON.stringify({ keys: standIn.keys }) } : { status: 404 },
  )
  const standIn: KeySetStandIn = Object.assign(server, { keys })
  return standIn
}
