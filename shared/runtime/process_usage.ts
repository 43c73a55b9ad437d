/**
 * What a process uses, on Node, Deno and Bun.
 *
 * @module
 */

import process from 'node:process'
import type { ProcessUsage } from './runtime.ts'

/** Memory and processor time of this process. */
export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage()
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1_000_000 }
}
