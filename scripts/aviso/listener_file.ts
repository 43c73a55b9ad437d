/**
 * Reads listener files of 1.x: `listeners: [{event, request, triggers}]`.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError } from '#shared/client/client_error.ts'
import { createTrigger, TriggerOptionsError } from './triggers/create_trigger.ts'
import { keyMessage, text, type Trigger, type TriggerHost } from './triggers/trigger.ts'
import { issuePath, type PathStep } from './issue_path.ts'
import type { YamlFile } from './yaml_file.ts'

/** One listener: what it listens to, and its triggers. */
export interface ListenerDefinition {
  readonly event: string
  /** Field → accepted values. Empty: all notifications of the event. */
  readonly request: Readonly<Record<string, readonly string[]>>
  readonly triggers: readonly Trigger[]
  /** Distinguishes listeners with the same event and request, because each has its own position. */
  readonly name?: string
}

const value = text('must be a value or a list of values')

const listener = v.strictObject(
  {
    event: text("Wrong file structure, 'event' could not be located"),
    request: v.nullable(
      v.record(
        v.string(),
        v.union(
          [
            v.pipe(
              value,
              v.transform((single) => [single]),
            ),
            v.pipe(v.array(value), v.minLength(1, 'must not be an empty list')),
          ],
          'must be a value or a list of values',
        ),
        "'request' must be a mapping of fields to values",
      ),
    ),
    triggers: v.array(v.unknown(), (issue) =>
      issue.input === null ? 'At least one trigger must be defined' : "'triggers' must be a list",
    ),
    name: v.optional(text('must be text')),
  },
  keyMessage({
    event: "Wrong file structure, 'event' could not be located",
    request: "Wrong file structure, 'request' could not be located",
    triggers: "'triggers' is a mandatory field",
  }),
)

/**
 * Reads the listeners of a file.
 *
 * @param definitions The list under `listeners:`, if it was read from a configuration file; absent: it is read from `file`.
 * @throws {ClientError} with the place in the file, and with 1.x's message if 1.x has one.
 */
export function readListeners(
  file: YamlFile,
  host: TriggerHost,
  definitions?: unknown,
): ListenerDefinition[] {
  const list = definitions ?? listenersOf(file)
  if (!Array.isArray(list)) throw refuse(file, ['listeners'], 'Wrong file structure')
  if (list.length === 0) throw refuse(file, ['listeners'], 'Event listeners definition cannot be empty')
  return list.map((entry, index) => readListener(file, host, { entry, path: ['listeners', index] }))
}

function listenersOf(file: YamlFile): unknown {
  const { value: content } = file
  if (content === null || content === undefined)
    throw refuse(file, [], 'Event listeners definition cannot be empty')
  if (typeof content !== 'object' || !('listeners' in content)) {
    throw refuse(file, [], "Event listeners definition must start with the keyword 'listeners'")
  }
  return content.listeners ?? []
}

interface Entry {
  readonly entry: unknown
  readonly path: readonly PathStep[]
}

function readListener(file: YamlFile, host: TriggerHost, { entry, path }: Entry): ListenerDefinition {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry))
    throw refuse(file, path, 'Wrong file structure')
  const result = v.safeParse(listener, entry)
  if (!result.success) {
    const [issue] = result.issues
    throw refuse(file, [...path, ...issuePath(issue)], issue.message)
  }
  const { event, request, triggers, name } = result.output
  return {
    event,
    request: request ?? {},
    triggers: triggers.map((trigger, index) =>
      readTrigger(file, host, { entry: trigger, path: [...path, 'triggers', index] }),
    ),
    ...(name !== undefined && { name }),
  }
}

function readTrigger(file: YamlFile, host: TriggerHost, { entry, path }: Entry): Trigger {
  try {
    return createTrigger(entry, host)
  } catch (error) {
    if (error instanceof TriggerOptionsError) throw refuse(file, [...path, ...error.path], error.message)
    throw error
  }
}

function refuse(file: YamlFile, path: readonly PathStep[], message: string): ClientError {
  return new ClientError(`${file.locate(path)}: ${message}`)
}
