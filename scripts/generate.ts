/**
 * The command `npm run generate`: writes the references that are made from the code. With `-- --check` it writes nothing, and exits with 1
 * when a reference is stale.
 *
 * @module
 */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { clientSettingsText } from './generate/client_settings.ts'
import { commandLineText } from './generate/command_line.ts'
import { configReferenceText } from './generate/config_reference.ts'
import { configSchemaText } from './generate/config_schema.ts'
import { consoleAssetsText } from './generate/console_assets.ts'
import { errorCodesText } from './generate/error_codes.ts'
import { metricsText } from './generate/metrics.ts'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** A file that is generated from the code. */
interface Generated {
  /** Path below the repository's top folder. */
  readonly path: string
  readonly make: () => string | Promise<string>
}

const FILES: readonly Generated[] = [
  { path: 'scripts/COMMANDS.md', make: commandLineText },
  { path: 'scripts/aviso/CONFIGURATION.md', make: clientSettingsText },
  { path: 'services/CONFIGURATION.md', make: configReferenceText },
  { path: 'services/config.schema.json', make: configSchemaText },
  { path: 'services/console/assets.json', make: consoleAssetsText },
  { path: 'services/monitoring/METRICS.md', make: metricsText },
  { path: 'shared/ERRORS.md', make: errorCodesText },
]

/** The paths of generated files that are missing, or differ from what the code makes now. */
export async function staleFiles(): Promise<readonly string[]> {
  const stale: string[] = []
  for (const { path, make } of FILES) {
    const content = await readFile(join(ROOT, path), 'utf8').catch(() => undefined)
    if (content !== (await make())) stale.push(path)
  }
  return stale
}

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('npm run generate --')
    .description('Writes the references that are made from the code.')
    .option('--check', 'write nothing; exit with 1 when a file is stale', false)
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const stale = await staleFiles()
  if (program.opts<{ readonly check: boolean }>().check) {
    for (const path of stale) console.error(`stale: ${path}; write it with: npm run generate`)
    return stale.length === 0 ? 0 : 1
  }
  for (const { path, make } of FILES) {
    if (!stale.includes(path)) continue
    await writeFile(join(ROOT, path), await make())
    console.log(`wrote ${path}`)
  }
  return 0
}

if (isMain(import.meta)) process.exit(await main(process.argv.slice(2)))
