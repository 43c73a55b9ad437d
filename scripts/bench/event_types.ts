/**
 * Makes a system with many event types.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import configuration from '../../wrangler-like.config.json' with { type: 'json' }
import type { Configuration } from './systems.ts'

/** Name of an event type: three digits after this text, as the generator makes them. */
const PREFIX = 'kind'

/** Writes a schema file of event types into a folder. @returns the configuration that uses it */
export async function writeEventTypes(folder: string, count: number): Promise<Configuration> {
  const file = join(folder, 'kinds.json')
  const types = Array.from({ length: count }, (_, index) => [nameOf(index), typeOf(nameOf(index))] as const)
  await writeFile(file, JSON.stringify({ version: 0.1, ...Object.fromEntries(types) }))
  return { ...configuration, vars: { ...configuration.vars, schemas: [file] } }
}

function nameOf(index: number): string {
  return `${PREFIX}${String(index).padStart(3, '0')}`
}

function typeOf(name: string): object {
  const text = [{ type: 'StringHandler' }]
  return {
    endpoint: [{ engine: ['etcd_rest'], base: `/bench/${name}/`, stem: 'run={run},step={step}' }],
    request: { run: text, step: text },
  }
}

/** A notification that the generator gives to one event type after the other. Its `modulo` is the number of event types. */
export function notificationOfTypes(): string {
  const run = crypto.randomUUID()
  return `{"specversion":"1.0","id":"${run}-##########","source":"/bench/provider","type":"aviso","time":"2026-08-10T00:00:00.000Z","datacontenttype":"application/json","data":{"event":"${PREFIX}^^^","request":{"run":"${run}","step":"@@@@@@@@@@"},"payload":"s3://data.example.int/mars/od/20260810/00/oper/g/x.grib2"}}`
}

/** A batch of {@link notificationOfTypes}. */
export function batchOfTypes(size: number): string {
  const one = notificationOfTypes()
  return `[${Array.from({ length: size }, () => one).join(',')}]`
}
