/**
 * Bounds of V8's heap on Node.
 *
 * V8 doubles the place for new objects, up to twice 32 MiB, whenever enough of them survive, and keeps it for good. Most of what survives
 * here is a stream or an id that stays. Measured on Node 24: 10,000 idle listeners cost 14.8 KiB each without the first bound, 5.7 with it.
 *
 * While a process rests, V8 gives that place back, and it has to be allowed to grow again afterwards: with 1 MiB of it, a published
 * notification costs half as much again (130 instead of 90 µs).
 *
 * @module
 */

import { availableParallelism } from 'node:os'
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/**
 * Both halves of the young generation together. Half of it is what may be allocated between two collections: a hundred requests of a
 * batch, more than are under way.
 */
export const YOUNG_HEAP_BYTES = 16 * 1024 * 1024

/**
 * Garbage may be as large as this share of what is kept, in percent, before all of it is collected. V8 would allow up to 300, and keeps
 * the pages afterwards. With 100 it collects all of it twice as often, which other requests wait for: beside 16 polling connections the worst
 * publish of 8 s took 13.8 ms instead of 8.4.
 */
const GARBAGE_PERCENT = 200

/** How many times as large the young generation is after a step, as V8 has it. */
const GROWTH = 2

/** Time between two looks whether V8 has given place back. One takes 6 µs. */
const LOOK_MS = 1_000

/** There is one heap, and maybe more than one server. */
let isBounded = false

/** Bytes that V8 has reserved for new objects. */
export function youngHeapBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
  return space?.space_size ?? 0
}

/**
 * Bounds garbage by {@link GARBAGE_PERCENT}, lets no other threads collect new objects where there is one processor, and stops the growth
 * of the young generation at {@link YOUNG_HEAP_BYTES}, or where it is. It grows with a collection, in steps, so it is looked at after each,
 * until it is large enough, and again when V8 has made it smaller.
 *
 * @param processors How many this process may use.
 */
export function boundHeap(processors: number = availableParallelism()): void {
  if (isBounded) return
  isBounded = true
  // The threads that help stand in line for the only processor, and this one waits for them behind all that is at work. Measured beside 16
  // polling connections: 60-100 ms of 6 s instead of 220-360.
  if (processors === 1) setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString(`--heap-growing-percent=${GARBAGE_PERCENT}`)
  boundGrowth()
}

function boundGrowth(): void {
  setFlagsFromString(`--semi-space-growth-factor=${GROWTH}`)
  const observer = new PerformanceObserver(() => {
    if (youngHeapBytes() < YOUNG_HEAP_BYTES) return
    observer.disconnect()
    setFlagsFromString('--semi-space-growth-factor=1')
    const looking = setInterval(() => {
      if (youngHeapBytes() >= YOUNG_HEAP_BYTES) return
      clearInterval(looking)
      boundGrowth()
    }, LOOK_MS)
    looking.unref()
  })
  observer.observe({ entryTypes: ['gc'] })
}
