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

/** The console of a system. */
export interface SystemConsole {
  readonly routes: Console['routes']
  /** The console of a port with these services; `undefined`: none. It is wherever its API is: not on a port of another service alone. */
  on(services: readonly ServiceName[]): Console | undefined
}

/**
 * Makes the console. Unless the configuration says so, there is one where the public address leads to this machine alone.
 */
export function startConsole(parts: SystemConsoleParts): SystemConsole {
  const { workers } = parts.config
  const page = createConsole({
    ...parts,
    isOn: () => isConsoleOn(parts.config, parts.baseUrl()),
    compresses: parts.compresses ?? true,
  })
  const isHere = parts.services.includes('auth')
  return {
    routes: isHere ? page.routes : [],
    on: (services) => {
      const isBesideOthers = workers.auth.dev.port === undefined
      return isHere && (services.includes('auth') || isBesideOthers) ? page : undefined
    },
  }
}

/** Whether browsers get the console at a public address. */
export function isConsoleOn({ vars }: Config, baseUrl: string): boolean {
  return vars.console ?? isLocal(baseUrl)
}

/** Whether an address leads to this machine alone. */
function isLocal(address: string): boolean {
  return URL.canParse(address) && isLoopback(new URL(address).hostname.replace(/^\[|\]$/g, ''))
}
