/**
 * Judges what was made of a configuration of aviso-server 2.x before it is written: the services must start with it.
 *
 * @module
 */

import { checkConfig, problemsOf } from '#services/system/check_config.ts'
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { readConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { flawLine } from '#shared/config/explain.ts'
import { refuseProblems } from '#shared/config/load.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { secretPlaces } from '../../serve/secret_names.ts'
import type { Imported } from './import_config.ts'

/** In place of secrets that the machine of the services has: longer than any that is required. */
const ANY_SECRET = 'x'.repeat(64)

/**
 * Looks at values, schemas and what they say about each other. Folders, ports and the store are those of another machine, perhaps.
 *
 * @param source The configuration of 2.x, for messages.
 * @throws {AvisoError} `ERR_CONFIG` that lists all that keeps the services from starting.
 */
export function refuseUnusable({ config, schema, secrets }: Imported, source: string): void {
  const { settings, flaws, given } = readConfig(JSON.stringify(config), source)
  const problems = flaws.map(flawLine)
  if (settings !== undefined) {
    const named = secretPlaces(given).map(({ name }): [string, string] => [name, ANY_SECRET])
    const readSecret = createSecretReader({ ...Object.fromEntries(named), ...Object.fromEntries(secrets) })
    let schemas: Schemas | undefined
    const file = { source: `notification_schema of ${source}`, content: schema }
    problems.push(
      ...problemsOf('vars.schemas', () => (schemas = createConfiguredSchemas([file], settings.vars))),
    )
    problems.push(
      ...checkConfig({
        config: settings,
        services: SERVICE_NAMES,
        schemas,
        readSecret,
        clock: systemClock,
        hasUdp: true,
        refused: flaws.map(({ path }) => path.join('.')),
      }),
    )
  }
  refuseProblems(source, [...new Set(problems)])
}
