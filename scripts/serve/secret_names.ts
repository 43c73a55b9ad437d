/**
 * Finds the environment variables that a configuration names as secrets. They may be in files, and workerd must get them as bindings,
 * because a worker cannot read the environment.
 *
 * @module
 */

/** Form of the keys that name secrets: `tokenEnv`, `passwordEnv`, `secretEnv`, `secretEnvs`. */
const SECRET_KEY = /Envs?$/

/** Where a configuration names a secret. */
export interface SecretPlace {
  /** The setting, such as `vars.storeTokenEnv`. */
  readonly path: string
  readonly name: string
}

/** The names of all environment variables in a configuration, each once. */
export function secretNames(config: unknown): readonly string[] {
  return [...new Set(secretPlaces(config).map(({ name }) => name))]
}

/** All places that name an environment variable. */
export function secretPlaces(config: unknown, above = ''): readonly SecretPlace[] {
  if (typeof config !== 'object' || config === null) return []
  return Object.entries(config).flatMap(([key, member]: [string, unknown]) => {
    const path = above === '' ? key : `${above}.${key}`
    return SECRET_KEY.test(key) ? textsOf(member, path) : secretPlaces(member, path)
  })
}

function textsOf(value: unknown, path: string): readonly SecretPlace[] {
  if (Array.isArray(value)) return value.flatMap((entry, index) => textsOf(entry, `${path}.${index}`))
  return typeof value === 'string' ? [{ path, name: value }] : secretPlaces(value, path)
}
