/**
 * Makes the bundle that workerd runs. A module of its own, because a production install has no esbuild.
 *
 * @module
 */

import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The worker in front of the Durable Object. One object holds the whole system, so one name is enough. */
const ENTRY = `export { AvisoHost } from './scripts/serve/workerd_host.ts'
export default { fetch: (request, env) => env.HOST.get(env.HOST.idFromName('aviso')).fetch(request) }`

/** Bundles services and host into one module at `outfile`. */
export async function bundleForWorkerd(outfile: string): Promise<void> {
  await build({
    stdin: { contents: ENTRY, resolveDir: ROOT, loader: 'ts' },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2024',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'import'],
    logLevel: 'error',
  })
}
