/**
 * Measures the heap of this process.
 *
 * @module
 */

import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes that are in use after everything unused was collected. */
export function memoryUsage(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') {
    collect()
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
