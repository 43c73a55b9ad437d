/**
 * Reads secrets. The configuration names them, the environment holds them, and a secret cannot be printed by accident. All secrets are read
 * here, so each of them follows a file that is replaced.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

/** A secret value. Code that prints, serialises or inspects it gets `[secret]`. */
export interface Secret {
  /** The value itself, for the one place that needs it. */
  reveal(): string
  toString(): '[secret]'
}

/** Name of the environment variable that holds the secret. */
export type SecretName = string

/** A condition that a secret must meet, besides not being empty. */
export type SecretRule =
  /** Least length, because a shorter secret could be guessed. The purpose appears in messages, such as `the token of ops`. */
  | { readonly purpose: string; readonly minBytes: number }
  /** The secret goes into a header, so it must be ASCII without spaces. */
  | 'token'

/** Looks a secret up by name. Its value follows the environment, so a secret can be replaced without a restart. */
export type ReadSecret = (name: SecretName, rule?: SecretRule) => Secret

const MASK = '[secret]'
const TOKEN = /^[!-~]{1,4096}$/
/** Name of the method that Node, Deno and Bun call to print an object. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** Wraps a value. A closure holds it, so no enumeration of properties reaches it. */
export function createSecret(value: string): Secret {
  return createLiveSecret(() => value)
}

function createLiveSecret(reveal: () => string): Secret {
  const mask = (): typeof MASK => MASK
  return Object.freeze({ reveal, toString: mask, toJSON: mask, [INSPECT]: mask })
}

/**
 * Reads secrets from an environment, whose values may change.
 *
 * @param onRefused Called when a new value is missing or against the rule. The old value then stays in use.
 * @returns a function that reads a secret. It throws `ERR_CONFIG`, naming the variable, when the secret is missing, empty or against its
 *   rule.
 */
export function createSecretReader(
  environment: Readonly<Record<string, string | undefined>>,
  onRefused: (problem: AvisoError) => void = () => undefined,
): ReadSecret {
  return (name, rule) => {
    let seen = environment[name]
    const first = check(name, seen, rule)
    if (first instanceof AvisoError) throw first
    let value = first
    return createLiveSecret(() => {
      const present = environment[name]
      if (present === seen) return value
      seen = present
      const next = check(name, present, rule)
      if (next instanceof AvisoError) onRefused(next)
      else value = next
      return value
    })
  }
}

/** @returns the value without spaces and newlines at its ends, or the error */
function check(
  name: SecretName,
  given: string | undefined,
  rule: SecretRule | undefined,
): string | AvisoError {
  const value = given?.trim()
  if (value === undefined || value === '') {
    const how = `set the environment variable ${name}, or ${name}_FILE to the path of a file that holds it`
    return new AvisoError('ERR_CONFIG', `A secret is missing: ${how}`)
  }
  const problem = problemOf(name, value, rule)
  return problem === undefined ? value : new AvisoError('ERR_CONFIG', problem)
}

function problemOf(name: SecretName, value: string, rule: SecretRule | undefined): string | undefined {
  if (rule === undefined) return undefined
  if (rule === 'token') {
    const problem = `The token in the environment variable ${name} must be ASCII without spaces`
    return TOKEN.test(value) ? undefined : problem
  }
  const { purpose, minBytes } = rule
  const problem = `The secret of ${purpose} must have at least ${minBytes} bytes (environment variable ${name})`
  return toBytes(value).length >= minBytes ? undefined : problem
}
