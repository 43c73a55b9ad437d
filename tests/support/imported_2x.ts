/** A system that runs a configuration of aviso-server 2.x as `npm start -- --config` does, without a socket. */

import { loadConfig } from '#services/system/settings.ts'
import type { SystemParts } from '#services/system/system_parts.ts'
import { checkConfig } from '#services/system/check_config.ts'
import { isAvisoError } from '#shared/errors.ts'
import { createSchemas } from '#shared/notification/schema.ts'
import { createSecretReader } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { parseDocument2x, type Document2x } from '../../scripts/aviso/import_2x/document.ts'
import { importConfig, type Imported } from '../../scripts/aviso/import_2x/import_config.ts'
import { BASE_URL, startTestSystem } from './system.ts'
import { SHARED_SECRET, secondsAt, signShared } from './tokens.ts'

/** A running system. */
export interface ImportedSystem {
  call(path: string, init?: RequestInit): Promise<Response>
  /** A POST of JSON, or of text as it stands. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** The page of metrics. */
  metrics(): Promise<string>
}

/** Runs `use` with the services that a configuration describes. @param text YAML. */
export async function withImported(
  text: string,
  use: (system: ImportedSystem) => Promise<void>,
  parts: Partial<SystemParts> = {},
): Promise<void> {
  const { config, schema, secrets, problems } = importText(text)
  if (problems.length > 0) throw new Error(problems.join('; '))
  const system = startTestSystem({
    config: loadConfig(JSON.stringify(config), 'server.yaml'),
    services: ['rest', 'auth', 'admin', 'monitoring'],
    schemas: createSchemas([{ source: 'server.yaml', content: schema }]),
    readSecret: createSecretReader(Object.fromEntries(secrets)),
    ...parts,
  })
  const call: ImportedSystem['call'] = (path, init) => system.fetch(new Request(BASE_URL + path, init))
  try {
    await system.ready
    await use({
      call,
      post: (path, body, headers = {}) =>
        call(path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) }),
      metrics: async () => (await call('/metrics')).text(),
    })
  } finally {
    await system.close()
  }
}

/**
 * What keeps the services from starting with a configuration of 2.x, a line each.
 *
 * @param text YAML.
 */
export function whyRefused(text: string): readonly string[] {
  try {
    const { config, schema, secrets, problems } = importText(text)
    if (problems.length > 0) return problems
    const readSecret = createSecretReader(Object.fromEntries(secrets))
    const schemas = createSchemas([{ source: 'server.yaml', content: schema }])
    const services = ['rest', 'auth', 'admin', 'monitoring'] as const
    const loaded = loadConfig(JSON.stringify(config), 'server.yaml')
    return checkConfig({ config: loaded, services, schemas, readSecret, clock: systemClock, hasUdp: true })
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return [error.message]
  }
}

/** Reads a configuration. */
export function importText(text: string): Imported {
  const document: Document2x | undefined = parseDocument2x(text, 'server.yaml')
  if (document === undefined) throw new Error('no configuration of 2.x')
  return importConfig(document, 'notification_schema of server.yaml')
}

/** `auth` of a service behind a proxy that makes tokens. */
export const TRUSTED_PROXY = `
auth: { enabled: true, mode: trusted_proxy, jwt_secret: "${SHARED_SECRET}", admin_roles: { localrealm: [admin] } }`

/** What a token says. */
export interface Claims2x {
  readonly username: string
  readonly realm?: string
  readonly roles?: readonly string[]
  /** Seconds since 1970. */
  readonly exp?: number
}

/** `Authorization` with a token as such a proxy makes it. */
export async function proxyToken(
  { username, realm = 'localrealm', roles = [], exp }: Claims2x,
  secret = SHARED_SECRET,
): Promise<Readonly<Record<string, string>>> {
  const now = secondsAt(Date.now())
  const claims = { username, sub: username, realm, roles: [...roles], iat: now, exp: exp ?? now + 3_600 }
  return { authorization: `Bearer ${await signShared(claims, secret)}` }
}
