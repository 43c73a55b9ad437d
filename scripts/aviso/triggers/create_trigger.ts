/**
 * Makes a trigger from an entry of a listener file.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { issuePath, type PathStep } from '../issue_path.ts'
import { commandOptions, createCommand } from './command.ts'
import { createEcho, echoOptions } from './echo.ts'
import { createLog, logOptions } from './log.ts'
import { createPost, postOptions } from './post.ts'
import type { Trigger, TriggerHost } from './trigger.ts'

/** The entry of a trigger is wrong. */
export class TriggerOptionsError extends Error {
  /** Place of the mistake in the trigger's entry. */
  readonly path: readonly PathStep[]

  constructor(message: string, path: readonly PathStep[] = []) {
    super(message)
    this.path = path
  }
}

const typed = v.looseObject({ type: v.string() })

/**
 * Checks one entry of `triggers:` and makes the trigger.
 *
 * @throws {TriggerOptionsError} when the entry is wrong.
 */
export function createTrigger(entry: unknown, host: TriggerHost): Trigger {
  const withType = v.safeParse(typed, entry)
  if (!withType.success) throw new TriggerOptionsError("'type' is a mandatory field in trigger")
  const options = { ...withType.output, type: withType.output.type.toLowerCase() }
  switch (options.type) {
    case 'echo':
      return createEcho(parse(echoOptions, options), host)
    case 'log':
      return createLog(parse(logOptions, options), host)
    case 'command':
      return create(() => createCommand(parse(commandOptions, options), host), 'command')
    case 'post':
      return createPost(parse(postOptions, options), host)
    default:
      throw new TriggerOptionsError(`Trigger type ${options.type} not recognised`, ['type'])
  }
}

function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  options: unknown,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, options)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new TriggerOptionsError(issue.message, issuePath(issue))
}

function create(make: () => Trigger, field: string): Trigger {
  try {
    return make()
  } catch (error) {
    if (error instanceof ClientError) throw new TriggerOptionsError(messageOf(error), [field])
    throw error
  }
}
