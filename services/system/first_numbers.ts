/**
 * Tells the operator where a first number of an event type comes too late.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { lastSequence, readCommit } from '#shared/journal/commits.ts'
import type { Logger } from '#shared/logger.ts'
import type { FirstNumbers } from '#shared/publish/numbers.ts'
import type { Store } from '#shared/store/store.ts'

export interface FirstNumbersParts {
  readonly store: Store
  readonly firstNumbers: FirstNumbers
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** Logs each event type that has numbers below its first one. Never rejects, because a store that cannot be had is told by others. */
export async function tellFirstNumbers({
  store,
  firstNumbers,
  logger,
  signal,
}: FirstNumbersParts): Promise<void> {
  for (const [event, first] of Object.entries(firstNumbers)) {
    try {
      const { commit } = await readCommit({ store, event }, undefined, { signal })
      const last = commit === undefined ? undefined : lastSequence(commit)
      if (last !== undefined && last < first)
        logger(
          'error',
          'vars.firstNumbers is too late for an event type: it has numbers already, and they go on',
          {
            event,
            first,
            last,
          },
        )
    } catch (error) {
      if (!isAvisoError(error)) throw error
    }
  }
}
