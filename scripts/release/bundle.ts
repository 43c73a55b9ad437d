/**
 * Bundles the program and the libraries of a release. Every package that they use is bundled, so a release depends on none.
 *
 * @module
 */

import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EMBEDDED_DOCUMENTS } from './documents.ts'
import { CONSOLE_PACKAGES } from '../generate/console_assets.ts'
import { FOR_WORKERD } from '../serve/workerd_bundle.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a library of the npm package exports: name → lines of its module. */
export const LIBRARIES: Readonly<Record<string, string>> = {
  index: lines('listen.ts', 'publish.ts', 'client_error.ts'),
  listen: lines('listen.ts', 'client_error.ts'),
  publish: lines('publish.ts', 'client_error.ts'),
}

/** The sources of the libraries, below the repository's folder. */
export const LIBRARY_SOURCES = ['shared/client/listen.ts', 'shared/client/publish.ts']

/** The worker modules of the npm package: name → its source, below the repository's folder. */
export const WORKERS: Readonly<Record<string, string>> = {
  rest: 'services/rest/worker.ts',
  auth: 'services/auth/worker.ts',
  admin: 'services/admin/worker.ts',
  monitoring: 'services/monitoring/worker.ts',
}

/** Packages in `require` calls of bundled packages: an ES module has no `require`. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  splitting: true,
  outExtension: { '.js': '.mjs' },
  // Names stay, so that a stack trace can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'error',
} as const satisfies BuildOptions

/**
 * Gives a CommonJS package that is loaded later the names that Node gives it: esbuild gives it a default export alone, so
 * `const { request } = await import('undici')` would be `undefined`.
 */
const NAMES_OF_COMMONJS: Plugin = {
  name: 'names of CommonJS packages',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(?:@[\w-]+\/)?[\w-]+$/ }, async ({ path, kind, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined
      const isCommonJs = 'module.exports' in (await namespaceOf(path))
      return isCommonJs ? { path, namespace: 'commonjs', pluginData: resolveDir } : undefined
    })
    onLoad({ filter: /.*/, namespace: 'commonjs' }, async ({ path, pluginData }) => {
      const names = Object.keys(await namespaceOf(path)).filter(
        (name) => /^[A-Za-z]\w*$/.test(name) && name !== 'default',
      )
      return {
        contents: `import all from ${JSON.stringify(path)}\nexport const { ${names.join(', ')} } = all`,
        resolveDir: String(pluginData),
      }
    })
  },
}

async function namespaceOf(name: string): Promise<object> {
  const namespace: unknown = await import(name)
  return Object(namespace)
}

/** Bundles the program into `folder`; it starts in `main.mjs`. @returns what went in */
export async function bundleProgram(folder: string): Promise<Metafile> {
  const { metafile } = await build({
    ...COMMON,
    entryPoints: [join(ROOT, 'scripts/release/main.ts')],
    outdir: folder,
    platform: 'node',
    // The oldest Node that runs the client.
    target: 'node20',
    external: ['bun:*'],
    define: { AVISO_IS_RELEASE: 'true' },
    banner: { js: REQUIRE },
    plugins: [NAMES_OF_COMMONJS, EMBEDDED_DOCUMENTS],
  })
  return metafile
}

/** Bundles the libraries into `folder`, for every runtime and for pages. @returns what went in */
export async function bundleLibraries(folder: string): Promise<Metafile> {
  const names = Object.keys(LIBRARIES)
  const { metafile } = await build({
    ...COMMON,
    entryPoints: names.map((name) => ({ in: `library:${name}`, out: name })),
    outdir: folder,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    chunkNames: 'shared/[hash]',
    plugins: [
      {
        name: 'libraries',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^library:/ }, ({ path }) => ({ path, namespace: 'library' }))
          onLoad({ filter: /.*/, namespace: 'library' }, ({ path }) => ({
            contents: LIBRARIES[path.slice('library:'.length)] ?? '',
            resolveDir: ROOT,
          }))
        },
      },
    ],
  })
  return metafile
}

/** Bundles the worker modules into `folder`, for Node, Deno and Bun, and into a folder in it for workerd. @returns what went in */
export async function bundleWorkers(folder: string): Promise<readonly Metafile[]> {
  const entryPoints = Object.entries(WORKERS).map(([name, source]) => ({ in: join(ROOT, source), out: name }))
  const common = { ...COMMON, entryPoints, chunkNames: 'shared/[hash]' } as const
  const { metafile: forHosts } = await build({
    ...common,
    outdir: folder,
    platform: 'node',
    target: 'node22',
    external: ['bun:*'],
    banner: { js: REQUIRE },
    plugins: [NAMES_OF_COMMONJS],
  })
  const { metafile: forWorkerd } = await build({
    ...common,
    outdir: join(folder, 'workerd'),
    ...FOR_WORKERD,
  })
  return [forHosts, forWorkerd]
}

/** The names of the packages that went into bundles. */
export function bundledPackages(bundles: readonly Metafile[]): readonly string[] {
  const inputs = bundles.flatMap(({ inputs: files }) => Object.keys(files))
  const names = inputs.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
  // The console is bundled before: its packages are inside of this file.
  const inside = inputs.includes('services/console/assets.json') ? CONSOLE_PACKAGES : []
  return [...new Set([...names.filter((name) => name !== undefined), ...inside])].toSorted()
}

function lines(...files: readonly string[]): string {
  return files.map((file) => `export * from ${JSON.stringify(`./shared/client/${file}`)}\n`).join('')
}
