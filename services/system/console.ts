/**
 * The console of a system: where it is, and whether there is one.
 *
 * @module
 */

import { createConsole, type Console } from '#services/console/console.ts'
import { isLoopback } from '#shared/config/shapes.ts'
import type { Logger } from '#shared/logger.ts'
import type { Config, ServiceName } from './settings.ts'

export interface SystemConsoleParts {
  readonly config: Config
  /** The services of this process. */
  readonly services: readonly ServiceName[]
  readonly baseUrl: () => string
  readonly version: string
  readonly random: () => string
  readonly logger: Logger
  /** Whether the console compresses its files. Default: yes. */
  readonly compresses?: boolean
}

/**
 * Makes the console. Unless the configuration says so, there is one where the public address leads to this machine alone.
 *
 * @returns a function that says whether a port has the console. It is wherever its API is: not on a port of another service alone.
 */
export function startConsole(
  parts: SystemConsoleParts,
): (services: readonly ServiceName[]) => Console | undefined {
  const { vars, workers } = parts.config
  const page = createConsole({
    ...parts,
    isOn: () => vars.console ?? isLocal(parts.baseUrl()),
    compresses: parts.compresses ?? true,
  })
  return (services) => {
    const isBesideOthers = workers.auth.dev.port === undefined
    return parts.services.includes('auth') && (services.includes('auth') || isBesideOthers) ? page : undefined
  }
}

/** Whether an address leads to this machine alone. */
function isLocal(address: string): boolean {
  return URL.canParse(address) && isLoopback(new URL(address).hostname.replace(/^\[|\]$/g, ''))
}
