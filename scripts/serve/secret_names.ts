/**
 * Finds the environment variables that a configuration names as secrets. They may be in files, and workerd must get them as bindings,
 * because a worker cannot read the environment.
 *
 * @module
 */

/** Form of the keys that name secrets: `tokenEnv`, `passwordEnv`, `secretEnv`, `secretEnvs`. */
const SECRET_KEY = /Envs?$/

/** The names of all environment variables in a configuration, each once. */
export function secretNames(config: unknown): readonly string[] {
  return [...new Set(collect(config))]
}

function collect(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    SECRET_KEY.test(key) ? textsOf(member) : collect(member),
  )
}

function textsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf)
  return typeof value === 'string' ? [value] : collect(value)
}
