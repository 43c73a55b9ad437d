/**
 * The trigger `command`: runs a program with parts of the notification as arguments and environment.
 *
 * Unlike in 1.x, no shell reads the command, so no text of a notification can become a command. With `shell: true` the command goes
 * unchanged to `/bin/sh`, and it can read the notification only from the environment.
 *
 * @module
 */

import * as v from 'valibot'
import { exactJsonText } from '#shared/json/strict_json.ts'
import { ClientError, messageOf } from '#shared/client/client_error.ts'
import { expandPath } from '../paths.ts'
import { runProgram, type ProgramResult } from './child_process.ts'
import { createHandover, type Handover } from './handover.ts'
import { NOTIFICATION_VARIABLE } from './notification_variables.ts'
import { requireProgram } from './program_file.ts'
import { notificationJson, placeholders, substitute } from './substitute.ts'
import {
  commonOptions,
  failureOptions,
  flag,
  keyMessage,
  requireFolder,
  seconds,
  text,
  TriggerError,
  type Trigger,
  type TriggerHost,
  type TriggerInput,
  type TriggerPlan,
} from './trigger.ts'
import { splitWords } from './words.ts'

/** Long enough to fetch a file. A program that hangs must not stop a listener for ever. */
const DEFAULT_TIMEOUT_SECONDS = '300'
/**
 * Longest value that goes as it is. Linux refuses to start a program with an argument or a variable of 128 KiB (MAX_ARG_STRLEN); a listener
 * file writes something around the value.
 */
const MAX_VALUE_BYTES = 100_000
/** The same after the system has refused what is made of the values, or all of them together. */
const SMALL_VALUE_BYTES = 1_024
/** Codes of errors that say that arguments and variables are the reason: too long, or with a NUL. */
const UNUSABLE_ARGUMENTS: readonly unknown[] = ['E2BIG', 'ERR_INVALID_ARG_VALUE']
/** Names that we replace in `${…}`, and a shell must not. */
const OUR_NAMES = ['json', 'jsonpath', 'runpath', 'event', 'request', 'payload', 'location']
/** What stands for the file of a run where nothing runs. */
const RUN_FILE_SHOWN = 'RUN_FILE'
/** Variables that a triggered program does not need, so it does not get them. */
const SECRET_VARIABLES = ['AVISO_TOKEN', 'AVISO_PASSWORD']

/** Options in a listener file. */
export const commandOptions = v.strictObject(
  {
    type: v.literal('command'),
    command: text('must be a command line'),
    environment: v.optional(v.record(v.string(), text('must be text'), 'must be a mapping of names to text')),
    working_dir: v.optional(text('must be the path of a folder')),
    shell: v.optional(flag, false),
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
 * @throws {ClientError} when the command line is empty, needs a shell, takes the name of its program from a notification, or names a program
 * that is not there.
 */
export function createCommand(
  options: CommandOptions,
  host: TriggerHost,
  folder: string | undefined,
): Trigger {
  const words = options.shell ? shellWords(options) : programWords(options, host.home)
  if (!options.shell) judgeProgram(words[0], { options, host, folder })
  const command: Command = { options, words, host, folder }
  return {
    type: 'command',
    ...failureOptions(options),
    names: namesIn(options.shell ? [] : words, options),
    run: (notification, kill) => runCommand(command, notification, kill),
    plan: (notification) => planCommand(command, notification),
  }
}

/** What the command takes from a notification. */
function namesIn(words: readonly string[], { environment = {} }: CommandOptions): readonly string[] {
  return [...words, ...Object.values(environment)].flatMap(placeholders)
}

function judgeProgram(
  program: string,
  { options, host, folder }: Pick<Command, 'options' | 'host' | 'folder'>,
): void {
  // Its folder is not there, which is told already.
  if (options.working_dir !== undefined && folder === undefined) return
  const path = options.environment?.['PATH'] ?? host.environment['PATH']
  if (path === undefined || placeholders(path).length === 0) requireProgram(program, { folder, path })
}

/**
 * The folder in which the command runs.
 *
 * @throws {ClientError} when it is not there.
 */
export function commandFolder(
  { working_dir: folder }: CommandOptions,
  host: TriggerHost,
): string | undefined {
  if (folder === undefined) return undefined
  const path = expandPath(folder, host)
  requireFolder(path)
  return path
}

interface Command {
  readonly options: CommandOptions
  readonly words: Argv
  readonly host: TriggerHost
  /** Absolute or relative to the client's own; `undefined`: the client's own. */
  readonly folder: string | undefined
}

/** The program with its arguments, and the variables that the listener file sets. */
function planCommand({ options, words, folder }: Command, notification: TriggerInput): TriggerPlan {
  const handover = createHandover(MAX_VALUE_BYTES)
  // The file is written when the command runs.
  const shownNotification = { runFile: RUN_FILE_SHOWN, ...notification }
  const fill = (template: string): string => substitute(template, shownNotification, handover)
  const [program, ...args] = words
  const argv = options.shell ? words : [program, ...args.map(fill)]
  const environment = Object.fromEntries(
    Object.entries(options.environment ?? {}).map(([name, value]) => [name, fill(value)]),
  )
  const set = Object.entries(environment).map(([name, value]) => `${name}=${shown(value)}`)
  return {
    text: ['run:', ...set, ...argv.map(shown), ...(folder === undefined ? [] : [`(in ${folder})`])].join(' '),
    details: { run: argv, environment, ...(folder !== undefined && { working_dir: folder }) },
  }
}

/** A word as a shell needs it. */
function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

async function runCommand(command: Command, notification: TriggerInput, kill: AbortSignal): Promise<void> {
  const result =
    (await startOnce(command, notification, { kill, mostBytes: MAX_VALUE_BYTES })) ??
    (await startOnce(command, notification, { kill, mostBytes: SMALL_VALUE_BYTES }))
  if (result === undefined) {
    throw new TriggerError(
      `cannot start ${command.words[0]}: its arguments and its environment are too long, even with the notification in files`,
      { retryable: false },
    )
  }
  const problem = problemOf(result, command.options)
  if (problem !== undefined) throw new TriggerError(problem, { retryable: result.ended !== 'killed' })
}

/** @returns how the program ended; `undefined` when it could not be started because something is too long. */
async function startOnce(
  { options, words, host, folder }: Command,
  notification: TriggerInput,
  { kill, mostBytes }: { readonly kill: AbortSignal; readonly mostBytes: number },
): Promise<ProgramResult | undefined> {
  const handover = createHandover(mostBytes)
  try {
    const fill = (template: string): string => substitute(template, notification, handover)
    const [program, ...args] = words
    const argv: Argv = options.shell ? words : [program, ...args.map(fill)]
    const environment = buildEnvironment(host.environment, notification, handover)
    for (const [name, value] of Object.entries(options.environment ?? {})) environment[name] = fill(value)
    const changed = tellHandover(environment, handover)
    await writeFiles(handover)
    const result = await start({ argv, environment, options, host, kill, folder })
    if (result === undefined) return undefined
    for (const line of changed) host.output.log('WARNING', `Notification ${notification.id}: ${line}`)
    return result
  } finally {
    await handover.remove()
  }
}

/** Tells the program which values it gets in another form. @returns the same for the log. */
function tellHandover(environment: Record<string, string>, handover: Handover): readonly string[] {
  const changed = handover.handedOver()
  const namesOf = (as: 'file' | 'json'): string =>
    changed
      .filter((each) => each.as === as)
      .map(({ name }) => name)
      .join(' ')
  const [byFile, asJson] = [namesOf('file'), namesOf('json')]
  if (byFile !== '') environment['AVISO_GIVEN_BY_FILE'] = byFile
  if (asJson !== '') environment['AVISO_GIVEN_AS_JSON'] = asJson
  return [
    ...(byFile === '' ? [] : [`too long for a command, which gets the path of a file instead: ${byFile}`]),
    ...(asJson === '' ? [] : [`has a NUL, so the command gets it as JSON text: ${asJson}`]),
  ]
}

async function writeFiles(handover: Handover): Promise<void> {
  await handover.write().catch((cause: unknown) => {
    throw new TriggerError(`cannot write the notification to a file: ${messageOf(cause)}`, {
      retryable: true,
      cause,
    })
  })
}

interface Start {
  readonly argv: Argv
  readonly environment: Record<string, string>
  readonly options: CommandOptions
  readonly host: TriggerHost
  readonly kill: AbortSignal
  readonly folder: string | undefined
}

/** @returns how the program ended; `undefined` when all strings together are too long. */
async function start(request: Start): Promise<ProgramResult | undefined> {
  const { argv, environment, options, host, kill, folder: cwd } = request
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
    if (UNUSABLE_ARGUMENTS.includes(codeOf(cause))) return undefined
    throw new TriggerError(`cannot start ${argv[0]}${reasonNotStarted(cwd, cause)}`, {
      retryable: false,
      cause,
    })
  }
}

/** A missing folder is reported as a missing program, so it is looked for. */
function reasonNotStarted(folder: string | undefined, cause: unknown): string {
  if (folder === undefined) return `: ${messageOf(cause)}`
  try {
    requireFolder(folder)
    return ` in ${folder}: ${messageOf(cause)}`
  } catch (error) {
    return `: ${messageOf(error)}`
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
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

/**
 * The environment of a command: that of the client, and the variables that 2.x's client sets. A variable that is too long is not set. The
 * one with its name and `_FILE` then has the path of a file.
 */
function buildEnvironment(
  inherited: TriggerHost['environment'],
  notification: TriggerInput,
  handover: Handover,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(inherited)) {
    if (value !== undefined && !SECRET_VARIABLES.includes(name) && !NOTIFICATION_VARIABLE.test(name))
      environment[name] = value
  }
  const addJson = (name: string, value: string): void => {
    const given = handover.give(name, value)
    environment[given === value ? name : `${name}_FILE`] = given
  }
  environment['AVISO_EVENT_TYPE'] = handover.give('AVISO_EVENT_TYPE', notification.event)
  environment['AVISO_SEQUENCE'] = notification.sequence ?? ''
  for (const [field, value] of Object.entries(notification.request)) {
    const name = `AVISO_IDENTIFIER_${field.toUpperCase().replaceAll(/\W/g, '_')}`
    environment[name] = handover.give(name, value)
  }
  addJson('AVISO_PAYLOAD_JSON', exactJsonText(notification.payload ?? null))
  addJson('AVISO_NOTIFICATION_JSON', notificationJson(notification))
  if (notification.runFile !== undefined) environment['AVISO_RUN_FILE'] = notification.runFile
  // Programs read the trace context from this variable.
  if (notification.traceparent !== undefined) environment['TRACEPARENT'] = notification.traceparent
  return environment
}
