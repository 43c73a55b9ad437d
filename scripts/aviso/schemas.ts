/**
 * Loads the schemas that the client itself knows: the user's own file, as in 1.x, or the built-in schemas.
 *
 * @module
 */

import { isAvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { createSchemas, type Schemas } from '#shared/notification/schema.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'

/** 1.x's path of the user's own schema, below the home folder. */
const LOCAL_SCHEMA = '.aviso/service_configuration/event_listener_schema.json'

/** @throws {ClientError} when the user's file cannot be used. */
export async function loadSchemas(
  home: string,
  readText: (path: string) => Promise<string | undefined>,
): Promise<Schemas> {
  const path = `${home}/${LOCAL_SCHEMA}`
  try {
    const local = await readText(path)
    if (local !== undefined) return createSchemas([{ source: path, content: JSON.parse(local) }])
    return createBuiltinSchemas()
  } catch (cause) {
    const message = isAvisoError(cause) ? cause.message : `${path} cannot be read: ${messageOf(cause)}`
    throw new ClientError(message, { cause })
  }
}
