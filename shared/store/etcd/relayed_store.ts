/**
 * A store that is the `/v3` of another Aviso, so that hubs can stand in a tree. It is read only, and is asked like etcd's gateway, with a
 * token.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import type { FetchLike } from '#shared/runtime/fetch_like.ts'
import type { Secret } from '#shared/secret.ts'
import { createGatewayStore, type GatewayStoreParts } from './gateway.ts'
import type { Store } from '../store.ts'

/** Options of the store. */
export interface RelayedStoreParts extends Omit<GatewayStoreParts, 'auth'> {
  /** Bearer token of an identity that a rule there lets relay; absent: `fetch` itself says who we are. */
  readonly bearer?: Secret | undefined
}

/** Makes the store. Everything that writes throws `ERR_READ_ONLY`, and nothing of it is sent. */
export function createRelayedStore({ bearer, ...parts }: RelayedStoreParts): Store {
  const withToken = (fetch: FetchLike): FetchLike =>
    bearer === undefined ? fetch : withBearer(fetch, bearer)
  const store = createGatewayStore({
    ...parts,
    fetch: withToken(parts.fetch),
    watchFetch: withToken(parts.watchFetch),
  })
  return {
    ...store,
    txn: refuse,
    compact: refuse,
    grantLease: refuse,
    status: async (options) => {
      const { revision } = await store.range({ key: SOME_KEY, countOnly: true }, options)
      // Only the other Aviso knows its store.
      return { version: 'another Aviso', revision, sizeBytes: 0, sizeInUseBytes: 0 }
    },
  }
}

/** The read is about the revision. */
const SOME_KEY = toBytes('/')

function withBearer(fetch: FetchLike, bearer: Secret): FetchLike {
  return async (url, request) =>
    fetch(url, { ...request, headers: { ...request.headers, Authorization: `Bearer ${bearer.reveal()}` } })
}

function refuse(): Promise<never> {
  const message =
    'This service stands on another Aviso and only reads there: publish and administer at that one'
  return Promise.reject(new AvisoError('ERR_READ_ONLY', message))
}
