/**
 * Transactions that were sent under the present guard, and may still appear in the journal.
 *
 * @module
 */

import type { Attempt } from './attempt.ts'
import type { StoredItem } from './id_window.ts'
import { outcomeUnknown } from './outcome.ts'
import { settle, toReceipt } from './pending.ts'

export interface SentAttempts {
  add(attempt: Attempt): void
  /** Answers the notifications of a transaction that the journal names. Does nothing for a transaction of another ingest. */
  acknowledge(batch: string, stored: readonly StoredItem[]): void
  /**
   * Forgets all of them after the journal has changed: each is stored now, or never will be.
   *
   * @param fateKnown Whether all commits since are known, and with them which transactions are stored.
   */
  forget(fateKnown: boolean): void
  /** Forgets those whose notifications are all answered. */
  prune(): void
}

export function createSentAttempts(event: string): SentAttempts {
  let sent: Attempt[] = []
  return {
    add: (attempt) => void sent.push(attempt),
    acknowledge: (batch, stored) => {
      const own = sent.find((candidate) => candidate.batch.batch === batch)
      own?.items.forEach((pending, index) => {
        const item = stored[index]
        if (item !== undefined) settle(pending, { ok: true, receipt: toReceipt(event, item, false) })
      })
    },
    forget: (fateKnown) => {
      for (const { items } of sent) {
        for (const pending of items) {
          if (!fateKnown && pending.maybeStored) settle(pending, { ok: false, error: outcomeUnknown() })
          pending.maybeStored = false
        }
      }
      sent = []
    },
    prune: () => {
      if (sent.length > 0) sent = sent.filter(({ items }) => items.some(({ done }) => !done))
    },
  }
}
