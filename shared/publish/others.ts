/**
 * What other ingests commit: one watch of all journals, while others publish the same event types. A lane that takes what it sees knows the
 * newest commit before it sends, and reads nothing to catch up. Nothing depends on it but speed: the guard decides.
 *
 * Flow: store → **others** → lane
 *
 * @module
 */

import { prefixRange, toText } from '#shared/bytes/bytes.ts'
import { JOURNAL_PREFIX } from '#shared/journal/journal.ts'
import type { KeyValue, Store } from '#shared/store/store.ts'
import type { Clock } from '#shared/time/clock.ts'
import { OTHERS } from './limits.ts'

export interface Others {
  /** Follows the journals for a while from now on, because another ingest was noticed. */
  follow(): void
  /** Whether another ingest was noticed, some time ago at most. */
  readonly isFollowing: boolean
  /** @param see Is given each value that is written to a journal while the journals are followed, those of this ingest too. */
  register(journalName: string, see: (journal: KeyValue) => void): void
  /** Follows them no more. */
  stop(): void
}

export function createOthers({ store, clock }: { readonly store: Store; readonly clock: Clock }): Others {
  const lanes = new Map<string, (journal: KeyValue) => void>()
  /** Until when the journals are followed, in monotonic time. */
  let until = -Infinity
  /** A watch that ended is not opened again before. */
  let notBefore = -Infinity
  let watching: AbortController | undefined
  let stopTimer: (() => void) | undefined

  async function run(signal: AbortSignal): Promise<void> {
    for await (const message of store.watch({ ...prefixRange(JOURNAL_PREFIX), signal })) {
      if (message.kind !== 'revision') continue
      for (const { kind, kv } of message.events) if (kind === 'put') lanes.get(toText(kv.key))?.(kv)
    }
  }
  function stop(): void {
    stopTimer?.()
    stopTimer = undefined
    watching?.abort()
    watching = undefined
  }
  function start(): void {
    const own = (watching = new AbortController())
    // What cannot be followed is found out by sending.
    const onEnd = (): void => {
      if (watching !== own) return
      stop()
      notBefore = clock.monotonic() + OTHERS.againMs
    }
    run(own.signal).then(onEnd, onEnd)
    stopLater()
  }
  function stopLater(): void {
    stopTimer = clock.after(until - clock.monotonic(), () =>
      clock.monotonic() < until ? stopLater() : stop(),
    )
  }
  return {
    follow: () => {
      const now = clock.monotonic()
      until = now + OTHERS.ms
      if (watching === undefined && now >= notBefore) start()
    },
    get isFollowing() {
      return watching !== undefined
    },
    register: (journalName, see) => void lanes.set(journalName, see),
    stop,
  }
}
