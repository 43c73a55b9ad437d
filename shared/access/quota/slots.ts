/**
 * Slots: they bound how many things one principal may have at a time.
 *
 * @module
 */

/** Slots by key. */
export interface Slots {
  /** @returns a function that gives the slot back (calling it again does nothing), or `undefined` when all slots are taken. */
  take(key: string): (() => void) | undefined
  readonly size: number
}

/** `most` slots for each key. */
export function createSlots(most: number): Slots {
  const taken = new Map<string, number>()
  return {
    take(key) {
      const count = taken.get(key) ?? 0
      if (count >= most) return undefined
      taken.set(key, count + 1)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        const left = (taken.get(key) ?? 1) - 1
        if (left === 0) taken.delete(key)
        else taken.set(key, left)
      }
    },
    get size() {
      return taken.size
    },
  }
}
