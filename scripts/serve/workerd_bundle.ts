/**
 * Makes the bundle that workerd runs. A module of its own, because a production install has no esbuild.
 *
 * @module
 */

import { isAbsolute } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { EMBEDDED_DOCUMENTS } from '../release/documents.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A module of the bundle. */
export interface BundledModule {
  /** Path of the module: absolute, or of one that is shipped. */
  readonly main: string
  readonly routes: readonly string[]
  readonly vars: Readonly<Record<string, unknown>>
  /** Binding → place of the called module in the list. */
  readonly calls: Readonly<Record<string, number>>
}

/** What esbuild makes modules for workerd with; the same as wrangler's. */
export const FOR_WORKERD = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2024',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'import'],
  external: ['cloudflare:*'],
  // Names stay, so that a stack trace can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'error',
  plugins: [EMBEDDED_DOCUMENTS],
} satisfies BuildOptions

/** Bundles several modules behind one address, and the Durable Object that runs the services, into one module at `outfile`. */
export async function bundleForWorkerd(outfile: string, modules: readonly BundledModule[]): Promise<void> {
  const imports = modules.map(({ main }, index) => `import worker${index} from ${specifier(main)}`)
  const list = modules.map(
    ({ routes, vars, calls }, index) =>
      `{ module: worker${index}, routes: ${JSON.stringify(routes)}, vars: ${JSON.stringify(vars)}, calls: ${JSON.stringify(calls)} }`,
  )
  const contents = `${imports.join('\n')}
import { createFront } from './services/system/front.ts'
export { AvisoHost } from './services/system/durable_host.ts'
export default createFront([${list.join(', ')}])`
  await build({ ...FOR_WORKERD, stdin: { contents, resolveDir: ROOT, loader: 'ts' }, outfile })
}

/** Bundles one module for a worker of its own. @param isHost Whether it has the Durable Object. */
export async function bundleWorker(outfile: string, { main }: BundledModule, isHost: boolean): Promise<void> {
  const host = isHost ? "export { AvisoHost } from './services/system/durable_host.ts'" : ''
  const contents = `export { default } from ${specifier(main)}\n${host}`
  await build({ ...FOR_WORKERD, stdin: { contents, resolveDir: ROOT, loader: 'ts' }, outfile })
}

/** A module that is shipped is below the folder of the program. */
function specifier(main: string): string {
  return JSON.stringify(isAbsolute(main) ? main : `./${main}`)
}
