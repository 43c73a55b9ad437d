/**
 * The command line of `wrangler dev`, for tests and measurements.
 *
 * @module
 */

import { join } from 'node:path'
import { findPackage } from './npm_package.ts'

/** Environment of wrangler: no question to the user, and nothing of the user's is told. */
export const QUIET = { WRANGLER_SEND_METRICS: 'false', CI: '1', WRANGLER_LOG_SANITIZE: 'true' }

/** Path of wrangler's program. */
export async function wrangler(): Promise<string> {
  return join(await findPackage('wrangler'), 'wrangler-dist/cli.js')
}

/** Where `wrangler dev` runs. */
export interface WranglerDev {
  /** The first worker has the port; the others are called by it. */
  readonly configs: readonly string[]
  /** `0`: a free one. */
  readonly port: string
  /** Folder of the store. */
  readonly state: string
}

/** Arguments of Node that start it. @param cli From {@link wrangler}. */
export function wranglerDev(cli: string, { configs, port, state }: WranglerDev): readonly string[] {
  const files = configs.flatMap((config) => ['--config', config])
  const listen = ['--ip', '127.0.0.1', '--port', port, '--inspector-port', '0']
  return [cli, 'dev', ...files, ...listen, '--persist-to', state, '--show-interactive-dev-session=false']
}
