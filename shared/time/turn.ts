/**
 * Runs a task in the next turn of the event loop, after the input that is ready now. So input that arrives together is handled together.
 *
 * @module
 */

interface NativeTurn {
  readonly setImmediate?: (task: () => void) => unknown
}

/** Calls `task` in the next turn: at once if the runtime has `setImmediate`, otherwise as soon as a timer allows. */
export function onNextTurn(task: () => void): void {
  const { setImmediate } = globalThis as NativeTurn
  // A timer is the fallback only: Node's shortest is 1 ms, longer than most commits take.
  if (setImmediate === undefined) setTimeout(task, 0)
  else setImmediate(task)
}

/** Resolves in the next turn. */
export function nextTurn(): Promise<void> {
  return new Promise(onNextTurn)
}
