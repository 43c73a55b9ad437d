/**
 * Which environment variables a configuration names as secrets: those that may be in files, and what workerd must be given, for a worker sees no
 * environment of its own.
 *
 * @module
 */

/** Secrets are named by keys of this form: `tokenEnv`, `passwordEnv`, `secretEnv`, `secretEnvs`. */
const SECRET_KEY = /Envs?$/

/** Names of environment variables anywhere in a configuration, each once. */
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
