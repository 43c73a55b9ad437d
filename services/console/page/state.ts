/**
 * Values that several parts of the page show.
 *
 * @module
 */

import { useEffect, useReducer } from 'preact/hooks'

/** A value that can be watched. */
export interface State<Value> {
  get(): Value
  set(change: Partial<Value>): void
  /** @returns a function that stops watching */
  watch(onChange: () => void): () => void
}

/** Makes a state. What watches it is told of each change, one after the other. */
export function createState<Value extends object>(first: Value): State<Value> {
  let value = first
  const watchers = new Set<() => void>()
  return {
    get: () => value,
    set: (change) => {
      value = { ...value, ...change }
      for (const onChange of Array.from(watchers)) onChange()
    },
    watch: (onChange) => {
      watchers.add(onChange)
      return () => void watchers.delete(onChange)
    },
  }
}

/** The value of a state, for a component: it is drawn again when the state changes. */
export function useWatched<Value>(state: State<Value>): Value {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => state.watch(() => redraw(undefined as never)), [state])
  return state.get()
}
