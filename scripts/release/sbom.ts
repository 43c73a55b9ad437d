/**
 * Makes the list of what is in a release (SBOM, CycloneDX).
 *
 * @module
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFile } from 'node:fs/promises'
import packageFile from '../../package.json' with { type: 'json' }
import { outputOf } from '../run_command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The part of CycloneDX that is read. */
interface Sbom {
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly scope?: string
  readonly properties?: readonly unknown[]
}

/**
 * Writes the list to `aviso-VERSION.cdx.json` in `out`. npm describes all that is installed; what went into no bundle is left out.
 *
 * @param names Packages that are in the release.
 * @returns its path
 */
export async function writeSbom(names: readonly string[], out: string): Promise<string> {
  const argv = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']
  const text = await outputOf('npm', argv, { folder: ROOT })
  const file = join(out, `${packageFile.name}-${packageFile.version}.cdx.json`)
  await writeFile(file, `${JSON.stringify(cutDown(parse(text), names), undefined, 2)}\n`)
  return file
}

function cutDown(sbom: Sbom, names: readonly string[]): Sbom {
  const top = sbom.metadata.component['bom-ref']
  const components = sbom.components
    .filter((component) => names.includes(component.name))
    // A tool of ours may be part of a release: Bun, in an executable.
    .map((component) => ({ ...component, scope: 'required' }))
  const missing = names.filter((name) => !components.some((component) => component.name === name))
  if (missing.length > 0) throw new Error(`npm sbom does not know ${missing.join(', ')}`)
  const kept = components.map((component) => component['bom-ref'])
  return {
    ...sbom,
    // npm takes the name of the clone's folder, and says that a clone is not to be published.
    metadata: {
      ...sbom.metadata,
      component: { ...sbom.metadata.component, name: packageFile.name, properties: [] },
    },
    components,
    dependencies: [
      { ref: top, dependsOn: kept },
      ...sbom.dependencies
        .filter(({ ref }) => kept.includes(ref))
        .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.includes(each)) })),
    ],
  }
}

function parse(text: string): Sbom {
  const value: unknown = JSON.parse(text)
  if (isSbom(value)) return value
  throw new Error('npm sbom printed no CycloneDX document')
}

function isSbom(value: unknown): value is Sbom {
  return (
    typeof value === 'object' &&
    value !== null &&
    'components' in value &&
    Array.isArray(value.components) &&
    'dependencies' in value &&
    Array.isArray(value.dependencies)
  )
}
