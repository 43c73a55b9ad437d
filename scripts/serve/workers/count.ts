/**
 * How many workers there are to be, and where there cannot be several.
 *
 * @module
 */

import { availableParallelism } from 'node:os'
import process from 'node:process'
import { InvalidArgumentError } from 'commander'
import type { Config, ServiceName } from '#services/system/settings.ts'
import { isAvisoError } from '#shared/errors.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'

/** More than the processors of any machine that listeners are served from. */
const MOST_WORKERS = 256

/** Reads `--workers`: a number, or `auto` for one per processor. */
export function parseWorkers(text: string): number {
  if (text === 'auto') return availableParallelism()
  const count = Number(text)
  if (/^\d{1,3}$/.test(text) && count >= 1 && count <= MOST_WORKERS) return count
  throw new InvalidArgumentError(`Use a number from 1 to ${MOST_WORKERS}, or auto: one per processor.`)
}

/** Which services a further worker runs. What belongs to the others it hands to the first worker. */
export function servicesOfFurther(config: Config, services: readonly ServiceName[]): readonly ServiceName[] {
  const every: readonly ServiceName[] = isEmbedded(config) ? ['auth'] : ['rest', 'auth']
  return every.filter((service) => services.includes(service))
}

/** Whether the first worker has the store, and the others stand on its hub. */
export function isEmbedded({ vars }: Config): boolean {
  try {
    return parseStoreAddress(vars.store).kind === 'embedded'
  } catch (error) {
    // It is told elsewhere.
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return false
  }
}

/** @returns a line for each reason why there cannot be so many workers */
export function checkWorkers(
  count: number,
  { config, services }: { readonly config: Config; readonly services: readonly ServiceName[] },
): readonly string[] {
  if (count === 1) return []
  const problems: string[] = []
  if (process.platform !== 'linux')
    problems.push(
      `--workers: ${process.platform} does not spread connections over processes: start one worker`,
    )
  if (servicesOfFurther(config, services).length === 0)
    problems.push(
      isEmbedded(config)
        ? '--workers: on the embedded store one worker publishes and the others listen: start the service auth too, or one worker'
        : '--workers: further workers run rest and auth, and neither is started: start one worker',
    )
  if (config.dev.socket !== undefined)
    problems.push(
      '--workers: a Unix socket has one listener: leave dev.socket out, let systemd open the socket, or start one worker',
    )
  if (isEmbedded(config) && config.vars.schemaService !== undefined)
    problems.push(
      '--workers: on the embedded store further workers do not see a schema change in the store (vars.schemaService): name the schemas in vars.schemas, use etcd, or start one worker',
    )
  return problems
}
