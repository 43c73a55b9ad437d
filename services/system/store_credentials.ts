/**
 * Reads the credentials for the store, as the configuration names them.
 *
 * @module
 */

import type { ReadSecret, Secret } from '#shared/secret.ts'
import type { Config } from './settings.ts'

/** At most one of the two members. */
export interface StoreCredentials {
  /** User of etcd. */
  readonly auth?: { readonly name: string; readonly password: Secret }
  /** Bearer token for a store that is another Aviso. */
  readonly bearer?: Secret
}

/** @throws {AvisoError} `ERR_CONFIG` for a secret that is missing, or a token that does not fit into a header. */
export function readStoreCredentials(
  { storeUser, storeTokenEnv }: Config['vars'],
  readSecret: ReadSecret,
): StoreCredentials {
  if (storeTokenEnv !== undefined) return { bearer: readSecret(storeTokenEnv, 'token') }
  if (storeUser === undefined) return {}
  return { auth: { name: storeUser.name, password: readSecret(storeUser.passwordEnv) } }
}
