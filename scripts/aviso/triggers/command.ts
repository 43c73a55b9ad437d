/**
 * The trigger `command`: runs a program with parts of the notification as arguments and environment.
 *
 * Unlike in 1.x, no shell reads the command, so no text of a notification can become a command. With `shell: true` the command goes
 * unchanged to `/bin/sh`, and it can read the notification only from the environment.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { exactJsonText } from '#shared/json/strict_json.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { expandHome } from '../config.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import { runProgram, type ProgramResult } from './child_process.ts'
import { needsJsonFile, notificationJson, placeholders, substitute } from './substitute.ts'
import {
  commonOptions,
  keyMessage,
  seconds,
  text,
  TriggerError,
  type Trigger,
  type TriggerHost,
} from './trigger.ts'
import { splitWords } from './words.ts'

/** Long enough to fetch a file. A program that hangs must not stop a listener for ever. */
const DEFAULT_TIMEOUT_SECONDS = '300'
/** Longest text in the environment: below 128 KiB, beyond which Linux refuses to start a program. */
const MAX_VARIABLE_BYTES = 100_000
/** Names that we replace in `${…}`, and a shell must not. */
const OUR_NAMES = ['json', 'jsonpath', 'event', 'request', 'payload', 'location']
/** Variables that a triggered program does not need, so it does not get them. */
const SECRET_VARIABLES = ['AVISO_TOKEN', 'AVISO_PASSWORD']
const NOTIFICATION_VARIABLE = /^AVISO_(?:EVENT_TYPE|SEQUENCE|IDENTIFIER_.*|PAYLOAD_JSON|NOTIFICATION_JSON)$/

/** Options in a listener file. */
export const commandOptions = v.strictObject(
  {
    type: v.literal('command'),
    command: text('must be a command line'),
    environment: v.optional(v.record(v.string(), text('must be text'), 'must be a mapping of names to text')),
    working_dir: v.optional(text('must be the path of a folder')),
    shell: v.optional(v.boolean('must be true or false'), false),
    timeout: v.optional(seconds, DEFAULT_TIMEOUT_SECONDS),
    ...commonOptions,
  },
  keyMessage(),
)

type CommandOptions = v.InferOutput<typeof commandOptions>
type Argv = readonly [string, ...string[]]

/**
 * Checks the command line and makes the trigger.
 *
 * @throws {ClientError} when the command line is empty, needs a shell, or takes the name of its program from a notification.
 */
export function createCommand(options: CommandOptions, host: TriggerHost): Trigger {
  const words = options.shell ? shellWords(options) : programWords(options, host.home)
  return {
    type: 'command',
    retries: options.retries,
    onFailure: options.on_failure,
    run: (notification, kill) => runCommand({ options, words, host }, notification, kill),
  }
}

interface Command {
  readonly options: CommandOptions
  readonly words: Argv
  readonly host: TriggerHost
}

async function runCommand(
  { options, words, host }: Command,
  notification: ReceivedNotification,
  kill: AbortSignal,
): Promise<void> {
  const templates = [...(options.shell ? [] : words), ...Object.values(options.environment ?? {})]
  const file = templates.some(needsJsonFile) ? await writeJsonFile(notification) : undefined
  try {
    const fill = (template: string): string => substitute(template, notification, file?.path)
    const [program, ...args] = words
    const argv: Argv = options.shell ? words : [program, ...args.map(fill)]
    const environment = buildEnvironment(host.environment, notification)
    for (const [name, value] of Object.entries(options.environment ?? {})) environment[name] = fill(value)
    const result = await start({ argv, environment, options, host, kill })
    const problem = problemOf(result, options)
    if (problem !== undefined) throw new TriggerError(problem, { retryable: result.ended !== 'killed' })
  } finally {
    await file?.remove()
  }
}

interface Start {
  readonly argv: Argv
  readonly environment: Record<string, string>
  readonly options: CommandOptions
  readonly host: TriggerHost
  readonly kill: AbortSignal
}

async function start({ argv, environment, options, host, kill }: Start): Promise<ProgramResult> {
  const cwd = options.working_dir === undefined ? undefined : expandHome(options.working_dir, host.home)
  try {
    return await runProgram({
      argv,
      cwd,
      environment,
      timeoutMs: options.timeout * 1000,
      kill,
      clock: host.clock,
      onLine: (stream, line) => host.output.log(stream === 'stdout' ? 'INFO' : 'WARNING', line),
    })
  } catch (cause) {
    const where = cwd === undefined ? '' : ` in ${cwd}`
    throw new TriggerError(`cannot start ${argv[0]}${where}: ${messageOf(cause)}`, {
      retryable: false,
      cause,
    })
  }
}

function problemOf(
  { status, signal, ended, errorTail }: ProgramResult,
  { timeout }: CommandOptions,
): string | undefined {
  const said = errorTail === '' ? '' : `, its last words: ${errorTail}`
  if (ended === 'time limit') return `the command was ended after its time limit of ${timeout} s${said}`
  if (ended === 'killed') return 'the command was ended because the client is stopping'
  if (signal !== undefined) return `the command was ended by ${signal}${said}`
  return status === 0 ? undefined : `the command ended with status ${status}${said}`
}

function programWords({ command }: CommandOptions, home: string): Argv {
  const [program, ...args] = splitOrRefuse(command, home)
  if (program === undefined || program === '') throw new ClientError('the command is empty')
  if (placeholders(program).length > 0)
    throw new ClientError('the program of a command must not come from a notification')
  return [program, ...args]
}

function splitOrRefuse(command: string, home: string): string[] {
  try {
    return splitWords(command, home)
  } catch (error) {
    throw new ClientError(messageOf(error))
  }
}

function shellWords({ command, environment = {} }: CommandOptions): Argv {
  for (const name of placeholders(command)) {
    if (Object.hasOwn(environment, name) || (!name.includes('.') && !OUR_NAMES.includes(name))) continue
    throw new ClientError(
      `\${${name}} is not replaced in a command that a shell reads: add it to "environment" and write "$NAME" in the command`,
    )
  }
  return ['/bin/sh', '-c', command]
}

/** The environment of a command: that of the client, and the variables that 2.x's client sets. */
function buildEnvironment(
  inherited: TriggerHost['environment'],
  notification: ReceivedNotification,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !SECRET_VARIABLES.includes(name) && !NOTIFICATION_VARIABLE.test(name))
      environment[name] = value
  }
  const add = (name: string, value: string): void => {
    if (!value.includes('\0') && Buffer.byteLength(value) <= MAX_VARIABLE_BYTES) environment[name] = value
  }
  add('AVISO_EVENT_TYPE', notification.event)
  add('AVISO_SEQUENCE', notification.sequence ?? '')
  for (const [field, value] of Object.entries(notification.request)) {
    add(`AVISO_IDENTIFIER_${field.toUpperCase().replaceAll(/\W/g, '_')}`, value)
  }
  add('AVISO_PAYLOAD_JSON', exactJsonText(notification.payload ?? null))
  add('AVISO_NOTIFICATION_JSON', notificationJson(notification))
  // Programs read the trace context from this variable.
  if (notification.traceparent !== undefined) add('TRACEPARENT', notification.traceparent)
  return environment
}

/** Writes the notification to a file, one for each run, because runs of several listeners overlap. Only the user may read it. */
async function writeJsonFile(
  notification: ReceivedNotification,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-'))
  const path = join(folder, 'notification.json')
  await writeFile(path, notificationJson(notification), { mode: 0o600 })
  return { path, remove: () => rm(folder, { recursive: true, force: true }) }
}
