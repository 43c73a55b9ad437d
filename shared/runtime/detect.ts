/**
 * Which runtime this process is: the only place that asks.
 *
 * @module
 */

import type { Platform } from './runtime.ts'

/** The platform of the running process (not for workerd, whose entry builds its own). */
export async function detectPlatform(): Promise<Platform> {
  if ('Deno' in globalThis) return (await import('./deno.ts')).createDenoPlatform()
  if ('Bun' in globalThis) return (await import('./bun.ts')).createBunPlatform()
  return (await import('./node.ts')).createNodePlatform()
}
