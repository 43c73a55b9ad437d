/**
 * Reads listener files of 1.x: `listeners: [{event, request, triggers}]`.
 *
 * @module
 */

import * as v from 'valibot'
import { ClientError } from '#shared/client/client_error.ts'
import { createTrigger, TriggerOptionsError } from './triggers/create_trigger.ts'
import { keyMessage, text, type Trigger, type TriggerHost } from './triggers/trigger.ts'
import { check, type Fault } from './faults.ts'
import { faultOfRuns, listenerOfRuns, when } from './runs/when.ts'
import type { PathStep } from './issue_path.ts'
import type { YamlFile } from './yaml_file.ts'

/** One listener: what it listens to, and its triggers. */
export interface ListenerDefinition {
  readonly event: string
  /** Field → accepted values. Empty: all notifications of the event. */
  readonly request: Readonly<Record<string, readonly string[]>>
  readonly triggers: readonly Trigger[]
  /** Distinguishes listeners with the same event and request, because each has its own position. */
  readonly name?: string
  /** With `when`: `event` is that of runs, and commands get the whole run. */
  readonly isOfRuns?: boolean
  /** Where a part of it stands, for messages. */
  readonly place: (path: readonly PathStep[]) => string
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
    when,
  },
  keyMessage({
    event: "Wrong file structure, 'event' could not be located",
    request: "Wrong file structure, 'request' could not be located",
    triggers: "'triggers' is a mandatory field",
  }),
)

/** What is wrong in listener files, with the listeners that are right so far. */
export class ListenerFaults extends ClientError {
  readonly sound: readonly ListenerDefinition[]

  constructor(lines: readonly string[], sound: readonly ListenerDefinition[]) {
    super(lines.join('\n'))
    this.sound = sound
  }
}

/**
 * Reads the listeners of a file.
 *
 * @param definitions The list under `listeners:`, if it was read from a configuration file; absent: it is read from `file`.
 * @throws {ListenerFaults} with all that is wrong, a line each: the place in the file, the listener's name, and 1.x's message if 1.x has one.
 * @throws {ClientError} for a file that holds no listeners.
 */
export function readListeners(
  file: YamlFile,
  host: TriggerHost,
  definitions?: unknown,
): ListenerDefinition[] {
  const list = definitions ?? listenersOf(file)
  if (!Array.isArray(list)) throw refuse(file, ['listeners'], 'Wrong file structure')
  if (list.length === 0) throw refuse(file, ['listeners'], 'Event listeners definition cannot be empty')
  const faults: string[] = []
  const read = list.flatMap(
    (entry: unknown, index) =>
      readListener({ file, host, faults }, { entry, path: ['listeners', index] }) ?? [],
  )
  if (faults.length > 0) throw new ListenerFaults(faults, read)
  return read
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

/** Where faults of one file go. */
interface Judge {
  readonly file: YamlFile
  readonly host: TriggerHost
  readonly faults: string[]
}

function readListener(judge: Judge, { entry, path }: Entry): ListenerDefinition | undefined {
  const { file, faults } = judge
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    faults.push(`${file.locate(path)}: Wrong file structure`)
    return undefined
  }
  const who = nameOf(entry)
  const report = ({ message, path: place }: Fault): void =>
    void faults.push(`${file.locate([...path, ...place])}${who}: ${message}`)
  const result = check(listener, entry)
  if (!result.isRight) for (const fault of result.faults) report(fault)
  // Triggers are judged even where the rest is wrong, so that one run shows everything.
  const given: unknown = 'triggers' in entry ? entry.triggers : undefined
  const triggers = (Array.isArray(given) ? given : []).flatMap((trigger: unknown, index) =>
    readTrigger(judge.host, trigger, (fault) =>
      report({ ...fault, path: ['triggers', index, ...fault.path] }),
    ),
  )
  if (!result.isRight) return undefined
  const { event, request, name, when: states } = result.value
  const wrong = states === undefined ? undefined : faultOfRuns(event, request ?? {})
  if (wrong !== undefined) {
    report(wrong)
    return undefined
  }
  warnOfOtherReadings(judge, [...path, 'request'], request ?? {})
  // 1.x takes it, too.
  if (Array.isArray(given) && given.length === 0)
    judge.host.output.log(
      'WARNING',
      `${file.locate([...path, 'triggers'])}${who}: the list is empty, so nothing is done for a notification. Add a trigger, such as {type: echo}`,
    )
  return {
    event,
    request: request ?? {},
    ...(states !== undefined && listenerOfRuns(event, request ?? {}, states)),
    triggers,
    ...(name !== undefined && { name }),
    place: (part) => `${file.locate([...path, ...part])}${who}`,
  }
}

/** Says who the listener is, where it has a name. */
function nameOf(entry: object): string {
  const name: unknown = 'name' in entry ? entry.name : undefined
  return typeof name === 'string' ? ` (listener ${name})` : ''
}

function readTrigger(host: TriggerHost, entry: unknown, report: (fault: Fault) => void): Trigger[] {
  try {
    return [createTrigger(entry, host)]
  } catch (error) {
    if (!(error instanceof TriggerOptionsError)) throw error
    for (const fault of error.faults) report(fault)
    return []
  }
}

/** A value that 1.x's parser did not take as it is written matched other notifications there. */
function warnOfOtherReadings(
  { file, host }: Judge,
  path: readonly PathStep[],
  request: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [field, values] of Object.entries(request)) {
    for (const [index, text] of values.entries()) {
      // A single value stands at the field itself.
      const place = file.isList([...path, field]) ? [...path, field, index] : [...path, field]
      const other = file.readingOf1x(place)
      if (other === undefined) continue
      host.output.log(
        'WARNING',
        `${file.locate(place)}: read as the text ${text}, as it is written; aviso 1.x read it as ${other}. Put it in quotes if the text is meant`,
      )
    }
  }
}

function refuse(file: YamlFile, path: readonly PathStep[], message: string): ClientError {
  return new ClientError(`${file.locate(path)}: ${message}`)
}
