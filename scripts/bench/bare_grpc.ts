/**
 * The bare limit of storing over gRPC: etcd spoken to through etcd3, with nothing in between.
 *
 * @module
 */

import { Etcd3 } from 'etcd3'
import type { BarePuts } from './bare_store.ts'
import { bareText } from './notifications.ts'

/** A key that is never there: etcd3 makes a transaction of a comparison only. */
const ABSENT = '/bench/absent'

/** @param endpoint e.g. `http://127.0.0.1:2379` */
export function createBareGrpc(endpoint: string): BarePuts {
  const client = new Etcd3({ hosts: endpoint })
  const putOf = (n: number): ReturnType<Etcd3['put']> => {
    const { key, value } = bareText(n)
    return client.put(key).value(value)
  }
  return {
    put: async (n) => {
      await putOf(n)
    },
    putMany: async (n, size) => {
      const puts = Array.from({ length: size }, (_, index) => putOf(n * size + index))
      const { succeeded } = await client
        .if(ABSENT, 'Version', '==', 0)
        .then(...puts)
        .commit()
      if (!succeeded) throw new Error('etcd did not apply a transaction')
    },
    close: () => {
      client.close()
      return Promise.resolve()
    },
  }
}
