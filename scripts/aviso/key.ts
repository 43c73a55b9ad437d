/**
 * The commands `aviso key` and `aviso value`: print the store key of a notification, and the value under that key.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { decodeBase64, encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { call } from '#shared/client/call.ts'
import { ClientError, EXIT_FAILURE } from '#shared/client/client_error.ts'
import { printAnswer } from './answer.ts'
import type { CommandContext } from './context.ts'
import { parseParams } from './params.ts'
import { loadSchemas } from './schemas.ts'

/** Few attempts, so that a read ends before its user loses patience. */
const ATTEMPTS = 4
/** 1.x's text for a key that does not exist. */
const NO_VALUE = 'None'

/** Prints the store key of a notification. */
export async function printKey(paramsText: string, context: CommandContext): Promise<void> {
  const key = await keyOf(paramsText, context)
  printAnswer({ text: key, json: { key } }, context)
}

/**
 * Reads the value of a notification through the service and prints it, or `None`.
 *
 * @throws {ClientError} with exit code 1 when nothing is stored.
 */
export async function printValue(paramsText: string, context: CommandContext): Promise<void> {
  const key = await keyOf(paramsText, context)
  const answer = await call(context, {
    path: '/v3/kv/range',
    method: 'POST',
    contentType: 'application/json',
    body: JSON.stringify({ key: encodeBase64(toBytes(key)) }),
    attempts: ATTEMPTS,
    failure: `Not able to pull key ${key}`,
  })
  const value = valueOf(answer)
  printAnswer({ text: value ?? NO_VALUE, json: { key, value: value ?? null } }, context)
  if (value === undefined) throw new ClientError(`Nothing is stored under ${key}`, { exitCode: EXIT_FAILURE })
}

async function keyOf(paramsText: string, { home, readText }: CommandContext): Promise<string> {
  const { event, fields } = parseParams(paramsText)
  const schemas = await loadSchemas(home, readText)
  try {
    return schemas.require(event).encode(fields).stem
  } catch (error) {
    throw isAvisoError(error) ? new ClientError(error.message, { cause: error }) : error
  }
}

/** The text of the first value in a range answer; `undefined` when it has none. */
function valueOf({ kvs }: Readonly<Record<string, unknown>>): string | undefined {
  const first: unknown = Array.isArray(kvs) ? kvs[0] : undefined
  if (typeof first !== 'object' || first === null) return undefined
  // The answer leaves out the member `value` when the value is empty.
  const value: unknown = 'value' in first ? first.value : ''
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined
  if (bytes === undefined) throw new ClientError('The service answered with a value that is not base64')
  return toText(bytes)
}
