/**
 * Secrets: named in the configuration, read from the environment, and unable to print themselves.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/store/bytes.ts'

/** A secret value. Anything that prints, serialises or inspects it gets `[secret]`. */
export interface Secret {
  /** The value itself, for the one place that needs it. */
  reveal(): string
  toString(): '[secret]'
}

/** Name of the environment variable that holds the secret. */
export type SecretName = string

/** Looks a secret up by name. */
export type ReadSecret = (name: SecretName) => Secret

const MASK = '[secret]'
/** Where Node, Deno and Bun look before they print an object. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** Wraps a value. It lives in a closure, so no enumeration of properties reaches it. */
export function createSecret(value: string): Secret {
  const mask = (): typeof MASK => MASK
  return Object.freeze({ reveal: () => value, toString: mask, toJSON: mask, [INSPECT]: mask })
}

/**
 * Reads secrets from an environment.
 *
 * @returns A function that throws `ERR_CONFIG`, naming the variable, where it is missing or empty.
 */
export function createSecretReader(environment: Readonly<Record<string, string | undefined>>): ReadSecret {
  return (name) => {
    const value = environment[name]?.trim()
    if (value === undefined || value === '') {
      throw new AvisoError('ERR_CONFIG', `A secret is missing: set the environment variable ${name}`)
    }
    return createSecret(value)
  }
}

/**
 * A secret of at least so many bytes.
 *
 * @throws {AvisoError} `ERR_CONFIG` naming what it is for, for a shorter one: it could be guessed.
 */
export function requireLength(secret: Secret, minBytes: number, purpose: string): Secret {
  if (toBytes(secret.reveal()).length >= minBytes) return secret
  throw new AvisoError('ERR_CONFIG', `The secret of ${purpose} must have at least ${minBytes} bytes`)
}
