/**
 * The whole configuration file, `wrangler-like.config.json`: it is composed of the settings that services share (`shared_settings.ts`) and
 * of those of each service (`worker_settings.ts`), and read here. This folder is the only one that may import every service.
 *
 * @module
 */

import * as v from 'valibot'
import { loadSettings, readSettings, type ReadSettings } from '#shared/config/load.ts'
import { section } from '#shared/config/section.ts'
import { listenPort } from '#shared/config/shapes.ts'
import { presentForm } from './file_form.ts'
import { sharedVars } from './shared_settings.ts'
import { compatibilityDate, compatibilityFlags, workers } from './worker_settings.ts'

/** Longest time that a stop may be put off: service managers give up long before. */
const MOST_DRAIN_SECONDS = 600

/** What Linux takes, without the end of the text. */
const MOST_SOCKET_BYTES = 107

const dev = section({
  host: v.optional(v.pipe(v.string(), v.description('Address to listen on')), '127.0.0.1'),
  port: v.optional(v.pipe(listenPort, v.description('Port to listen on; 0: any free one')), 8080),
  socket: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxBytes(MOST_SOCKET_BYTES, `A path of at most ${MOST_SOCKET_BYTES} bytes`),
      v.description(
        'Path of a Unix socket to listen on, in place of host and port. Its user and group may connect (mode 0660). Default: none',
      ),
    ),
  ),
  data: v.optional(v.pipe(v.string(), v.description('Folder of the embedded store')), 'data'),
  drainSeconds: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0),
      v.maxValue(MOST_DRAIN_SECONDS),
      v.metadata({ unit: 'seconds' }),
      v.description(
        'Time from SIGTERM to the end. /readyz is 503 at once, new work is still served, and the streams end one after another. Service managers must wait for longer than that and 15 s',
      ),
    ),
    0,
  ),
})

/** The whole file, after an environment's overlay was merged in. */
export const configSchema = section({
  $schema: v.optional(v.pipe(v.string(), v.description('JSON Schema of this file, for editors'))),
  name: v.pipe(v.string(), v.description('Name of the system')),
  compatibility_date: v.optional(compatibilityDate),
  compatibility_flags: v.optional(compatibilityFlags),
  vars: v.optional(sharedVars, {}),
  dev: v.optional(v.pipe(dev, v.description('Where the launcher listens, and keeps the embedded store')), {}),
  workers,
})

/** Job → its cron; `null`: it runs by hand alone. */
export function schedulesOf({ workers }: Config): Readonly<Record<'compact' | 'clean', string | null>> {
  return workers.admin.vars.jobs
}

export type Config = v.InferOutput<typeof configSchema>
export type ServiceName = keyof Config['workers']

/** Every service of this version. */
export const SERVICE_NAMES: readonly ServiceName[] = ['rest', 'auth', 'admin', 'monitoring', 'runs']

/** Where the launcher listens and keeps the embedded store, unless a file or a flag says otherwise. */
export const DEV_DEFAULTS = v.getDefaults(dev)

/**
 * Reads a configuration file.
 *
 * @param source Name of the file, for messages.
 * @param environment Name of the overlay under `env`.
 * @throws {AvisoError} `ERR_CONFIG` naming the file, the path inside it and the reason.
 */
export function loadConfig(text: string, source: string, environment?: string): Config {
  return loadSettings(configSchema, { text, source, environment, form: presentForm })
}

/** Reads a configuration file as {@link loadConfig} does, and collects what is wrong with it. */
export function readConfig(text: string, source: string, environment?: string): ReadSettings<Config> {
  return readSettings(configSchema, { text, source, environment, form: presentForm })
}
