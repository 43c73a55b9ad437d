/**
 * Several signals heard as one.
 *
 * @module
 */

/** Calls `task` when one of the signals aborts, at once where one has. @returns Stops that. */
export function onAbort(signals: readonly (AbortSignal | undefined)[], task: () => void): () => void {
  const given = signals.filter((signal) => signal !== undefined)
  if (given.some((signal) => signal.aborted)) task()
  for (const signal of given) signal.addEventListener('abort', task)
  return () => {
    for (const signal of given) signal.removeEventListener('abort', task)
  }
}
