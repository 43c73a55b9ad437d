/**
 * Makes a trigger from an entry of a listener file.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { allowedText, check, type Fault } from '../faults.ts'
import { commandFolder, commandOptions, createCommand } from './command.ts'
import { createEcho, echoOptions } from './echo.ts'
import { createLog, logOptions, logPath } from './log.ts'
import { createPost } from './post.ts'
import type { Trigger, TriggerHost } from './trigger.ts'

/** The entry of a trigger is wrong: everything that is, at once. */
export class TriggerOptionsError extends Error {
  /** Places are in the trigger's entry. */
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    super(faults.map(({ message }) => message).join('; '))
    this.faults = faults
  }
}

const TYPES = ['echo', 'log', 'command', 'post']
const typed = v.looseObject({ type: v.string() })

/**
 * Checks one entry of `triggers:` and makes the trigger.
 *
 * @throws {TriggerOptionsError} when the entry is wrong.
 */
export function createTrigger(entry: unknown, host: TriggerHost): Trigger {
  const withType = v.safeParse(typed, entry)
  if (!withType.success) {
    throw new TriggerOptionsError([{ message: "'type' is a mandatory field in trigger", path: [] }])
  }
  const options: TriggerOptions = { ...withType.output, type: withType.output.type.toLowerCase() }
  try {
    return triggerOf(options, host)
  } catch (error) {
    if (!(error instanceof TriggerOptionsError)) throw error
    throw new TriggerOptionsError([...error.faults, ...faultsBehind(error.faults, options, host)])
  }
}

type TriggerOptions = Readonly<Record<string, unknown>> & { readonly type: string }

/** What is wrong besides, which only shows once the options are right: a folder, a program. */
function faultsBehind(
  faults: readonly Fault[],
  options: TriggerOptions,
  host: TriggerHost,
): readonly Fault[] {
  const wrong = faults.map(({ path: [key] }) => String(key))
  // They decide what is right in the others.
  if (['type', 'shell', 'working_dir', 'environment'].some((key) => wrong.includes(key))) return []
  const rest = Object.entries(options).filter(([key]) => !wrong.includes(key))
  if (rest.length === Object.keys(options).length) return []
  try {
    triggerOf({ ...Object.fromEntries(rest), type: options.type }, host)
    return []
  } catch (error) {
    if (!(error instanceof TriggerOptionsError)) throw error
    return error.faults.filter(({ path: [key] }) => !wrong.includes(String(key)))
  }
}

/** @throws {TriggerOptionsError} for the first kind of fault: wrong options, or what they name. */
function triggerOf(options: TriggerOptions, host: TriggerHost): Trigger {
  switch (options.type) {
    case 'echo':
      return createEcho(parse(echoOptions, options), host)
    case 'log': {
      const parsed = parse(logOptions, options)
      return createLog(
        parsed,
        host,
        attempt('path', () => logPath(parsed, host)),
      )
    }
    case 'command':
      return commandOf(parse(commandOptions, options), host)
    case 'post':
      return createPost(options, host, { read: parse, judge: (make) => attempt('protocol', make) })
    default: {
      const message = `Trigger type ${options.type} not recognised${allowedText(options.type, TYPES)}`
      throw new TriggerOptionsError([{ message, path: ['type'] }])
    }
  }
}

/** A command whose words and whose folder are both judged. */
function commandOf(options: v.InferOutput<typeof commandOptions>, host: TriggerHost): Trigger {
  const faults: Fault[] = []
  const keep = <Value>(make: () => Value): Value | undefined => {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof TriggerOptionsError)) throw error
      faults.push(...error.faults)
      return undefined
    }
  }
  const folder = keep(() => attempt('working_dir', () => commandFolder(options, host)))
  const trigger = keep(() => attempt('command', () => createCommand(options, host, folder)))
  if (trigger === undefined || faults.length > 0) throw new TriggerOptionsError(faults)
  return trigger
}

function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  options: unknown,
): v.InferOutput<Schema> {
  const result = check(schema, options)
  if (result.isRight) return result.value
  throw new TriggerOptionsError(result.faults)
}

/** Does what may find a fault in one field. */
function attempt<Value>(field: string, make: () => Value): Value {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    throw new TriggerOptionsError([{ message: messageOf(error), path: [field] }])
  }
}
