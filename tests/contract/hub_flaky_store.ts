/**
 * A store whose watches break when the test says so, and which counts them.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import type { Store, WatchMessage, WatchRequest } from '#shared/store/store.ts'

/** A store in the hands of a test. */
export interface FlakyStore extends Store {
  /** Where calls go; another one stands for a store that was replaced. */
  inner: Store
  /** Whether nothing can be reached. */
  isDown: boolean
  /** Whether watches tell no progress, as etcd's for ten minutes. */
  isQuiet: boolean
  /** Chance that a watch breaks after a message. */
  breakage: number
  /** Watches so far, and those that are open. */
  readonly watches: number
  readonly open: number
  /** Breaks every open watch at once. */
  breakAll(): void
}

export function createFlakyStore(inner: Store, random: () => number = Math.random): FlakyStore {
  const running = new Set<AbortController>()
  let watches = 0
  let open = 0
  const down = (): AvisoError => new AvisoError('ERR_STORE_UNAVAILABLE', 'The test has taken the store away')

  async function* watch(request: WatchRequest): AsyncGenerator<WatchMessage, void, undefined> {
    if (store.isDown) throw down()
    const broken = new AbortController()
    const signals = request.signal === undefined ? [broken.signal] : [broken.signal, request.signal]
    watches++
    open++
    running.add(broken)
    try {
      for await (const message of store.inner.watch({ ...request, signal: AbortSignal.any(signals) })) {
        if (message.kind !== 'progress' || !store.isQuiet) yield message
        if (broken.signal.aborted || random() < store.breakage) throw down()
      }
      if (broken.signal.aborted) throw down()
    } finally {
      running.delete(broken)
      open--
    }
  }
  const store: FlakyStore = {
    inner,
    isDown: false,
    isQuiet: false,
    breakage: 0,
    get watches() {
      return watches
    },
    get open() {
      return open
    },
    breakAll: () => {
      for (const broken of running) broken.abort()
    },
    watch,
    range: async (request, options) => {
      if (store.isDown) throw down()
      return store.inner.range(request, options)
    },
    txn: (request, options) => store.inner.txn(request, options),
    compact: (revision, options) => store.inner.compact(revision, options),
    grantLease: (ttlSeconds, options) => store.inner.grantLease(ttlSeconds, options),
    status: (options) => store.inner.status(options),
    close: () => store.inner.close(),
  }
  return store
}
