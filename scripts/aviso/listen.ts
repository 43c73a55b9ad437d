/**
 * The command `aviso listen`: runs the listeners of files or of the configuration until it is stopped.
 *
 * @module
 */

import type { Schemas } from '#shared/notification/schema.ts'
import { call } from '#shared/client/call.ts'
import { ClientError, EXIT_USAGE, messageOf } from '#shared/client/client_error.ts'
import type { CloudEvent } from '#shared/client/notification.ts'
import type { CommandContext } from './context.ts'
import { runListener, type ListenerParts } from './listener.ts'
import { judgeListeners, withFaultsOfService } from './judge_listeners.ts'
import { ListenerFaults, readListeners, type ListenerDefinition } from './listener_file.ts'
import { listenerOfWords } from './listen_words.ts'
import { openPosition, readCursor, type Position, type PositionKey } from './position.ts'
import { announceReplays } from './replay_progress.ts'
import { createRunFiles } from './runs/run_file.ts'
import { loadSchemas } from './schemas.ts'
import { followStream, type StreamStart } from '#shared/client/stream.ts'
import { DATE_FORMS, parseDate } from '#shared/time/written_date.ts'
import { dryRun } from './triggers/dry_run.ts'
import { parseYamlFile } from './yaml_file.ts'

/** Flags of `listen`, as commander gives them. */
export interface ListenFlags {
  /** Event type to listen to without a file. */
  readonly event?: string
  readonly dryRun?: boolean
  readonly from?: string
  readonly to?: string
  readonly now?: boolean
  readonly catchup?: boolean
  readonly onGap?: 'stop' | 'continue'
  /** Folder of the positions that listeners have reached. */
  readonly state?: string
}

/** The requested period; empty: from the last position on. */
export interface Period {
  readonly start?: StreamStart
  /** Milliseconds since 1970; infinite: until history is complete. Then no position is used. */
  readonly until?: number
}

/** One opened listener. */
interface Running {
  readonly definition: ListenerDefinition
  readonly position: Position | undefined
  readonly start: StreamStart
}

/** Attempts to read the payload's name. Few are enough, because the stream is already open, so the service answers. */
const SCHEMA_ATTEMPTS = 3
const STATUS_INTERVAL_MS = 1000

/**
 * Listens until a stop signal, or until everything up to `--to` has been delivered. When one listener fails, all listeners end after their
 * running triggers have finished.
 *
 * @throws {ClientError} for wrong flags and files, and the first failure of a listener.
 */
export async function listen(
  words: readonly string[],
  flags: ListenFlags,
  context: CommandContext,
): Promise<void> {
  const period = checkPeriod(flags, context.clock.now())
  await runPeriod(words, { flags, period, context })
}

/**
 * Runs the listeners of files or of `--event` over a period.
 *
 * @param words Paths of listener files; with `--event` fields and their values.
 * @returns how many notifications came
 */
export async function runPeriod(
  words: readonly string[],
  { flags, period, context }: Opening,
): Promise<number> {
  const definitions = await loadDefinitions(words, flags, context).catch(async (error: unknown) => {
    throw await withFaultsOfService(error, context)
  })
  const schemas = await loadSchemas(context.home, context.readText)
  await judgeListeners(definitions, context)
  const running = await openAll(definitions, { flags, period, context })
  const { output, config, clock } = context
  const progress = await announceReplays(running, { until: period.until, context })
  const failure = new AbortController()
  const stop = AbortSignal.any([context.stop, failure.signal])
  const counts = { received: 0, lastAt: 0 }
  const stopStatus = clock.every(STATUS_INTERVAL_MS, () =>
    output.status(statusText(counts, clock.monotonic(), progress.text())),
  )
  output.log(
    'INFO',
    `Listening to ${definitions.flatMap((definition) => keysOf(definition, schemas)).join(',')} at ${new URL(config.baseUrl).host}...`,
  )
  const waiting = new Set(running)
  const results = await Promise.allSettled(
    running.map(async (one) => {
      const onConnected = (): void => {
        if (waiting.delete(one) && waiting.size === 0) output.log('INFO', 'Connected')
      }
      const onReceived = (event: CloudEvent): void => {
        counts.received++
        counts.lastAt = clock.monotonic()
        progress.received(one, event)
      }
      const onCaughtUp = (): void => progress.caughtUp(one)
      try {
        const events = { onConnected, onReceived, onCaughtUp }
        await runOne(one, { ...context, stop }, { flags, period, schemas, ...events })
      } catch (error) {
        failure.abort()
        throw error
      } finally {
        one.position?.close()
      }
    }),
  )
  stopStatus()
  output.clearStatus()
  throwFirst(results, context)
  return counts.received
}

/** Checks the dates in 1.x's order. */
function checkPeriod({ from, to, now, catchup }: ListenFlags, at: number): Period {
  const start = from === undefined ? undefined : readDate('--from', from, at)
  const end = to === undefined ? undefined : readDate('--to', to, at)
  if (start !== undefined && start > at)
    throw new ClientError(`from_date must be in the past${futureText(start, at)}`)
  if (end !== undefined && end > at)
    throw new ClientError(`to_date must be in the past${futureText(end, at)}`)
  if (end !== undefined && start === undefined)
    throw new ClientError(
      'from_date is required if to_date is defined: give --from, or use aviso replay --to DATE',
    )
  if (start !== undefined && end !== undefined && end <= start)
    throw new ClientError('to_date must be later than from_date: --to after --from')
  if (now === true && catchup === true)
    throw new ClientError('Only now or catchup can be specified at the same time')
  // 1.x passes over --now there, and replays.
  if (now === true && start !== undefined)
    throw new ClientError(
      '--now starts with the next notification, and --from in the past: give one of the two',
      { exitCode: EXIT_USAGE },
    )
  return {
    ...(start !== undefined && { start: dateStart(start) }),
    ...(end !== undefined && { until: end }),
  }
}

/** How a date was read that is to come, so that a slip shows. */
export function futureText(date: number, now: number): string {
  const hours = Math.ceil((date - now) / 3_600_000)
  const left = hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
  return `: ${new Date(date).toISOString()} comes in ${left}`
}

/** A start at a time, milliseconds since 1970. */
export function dateStart(ms: number): StreamStart {
  return { kind: 'date', date: new Date(ms).toISOString() }
}

/** @throws {ClientError} for a text that is no date. */
export function readDate(flag: string, text: string, now: number): number {
  const at = parseDate(text, now)
  if (at !== undefined) return at
  throw new ClientError(`Invalid value for ${flag}: '${text}' is none of: ${DATE_FORMS}`, {
    exitCode: EXIT_USAGE,
  })
}

async function loadDefinitions(
  words: readonly string[],
  { event, dryRun: isDryRun }: ListenFlags,
  context: CommandContext,
): Promise<ListenerDefinition[]> {
  const definitions =
    event === undefined ? await readFiles(words, context) : [listenerOfWords(event, words, context)]
  if (isDryRun !== true) return definitions
  return definitions.map((definition) => ({
    ...definition,
    triggers: dryRun(definition.triggers, context),
  }))
}

/** The listeners of files; without files those of the configuration. @param remedy What to do where there are none. @throws {ClientError} */
export async function readFiles(
  files: readonly string[],
  context: CommandContext,
  remedy = 'name a listener file, give --event, or add listeners to the configuration',
): Promise<ListenerDefinition[]> {
  const { config } = context
  if (files.length === 0) {
    if (config.listeners === undefined) {
      throw new ClientError(`Event listeners definition cannot be empty: ${remedy}`)
    }
    return readListeners(config.listeners.file, context, config.listeners.value)
  }
  const definitions: ListenerDefinition[] = []
  const faults: string[] = []
  for (const path of files) {
    try {
      definitions.push(...(await readFile(path, context)))
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      faults.push(error.message)
      if (error instanceof ListenerFaults) definitions.push(...error.sound)
    }
  }
  if (faults.length > 0) throw new ListenerFaults(faults, definitions)
  return definitions
}

async function readFile(path: string, context: CommandContext): Promise<ListenerDefinition[]> {
  const content = await context.readText(path).catch((cause: unknown) => {
    throw new ClientError(`Not able to load listener file ${path}, ${messageOf(cause)}`, { cause })
  })
  if (content === undefined) {
    throw new ClientError(
      `Not able to load listener file ${path},[Errno 2] No such file or directory: '${path}'${path.includes('=') ? '; fields and values need --event TYPE' : ''}`,
    )
  }
  return readListeners(parseYamlFile(content, path), context)
}

interface Opening {
  readonly flags: ListenFlags
  readonly period: Period
  readonly context: CommandContext
}

async function openAll(definitions: readonly ListenerDefinition[], opening: Opening): Promise<Running[]> {
  const running: Running[] = []
  try {
    for (const definition of definitions) running.push(await openOne(definition, opening))
    return running
  } catch (error) {
    for (const { position } of running) position?.close()
    throw error
  }
}

/**
 * Opens a listener. A replay of the past (`--to`) does not use the position. `--now` forgets it, and `--from` does not start from it. A dry
 * run only reads it.
 */
async function openOne(definition: ListenerDefinition, opening: Opening): Promise<Running> {
  const { flags, period, context } = opening
  const start: StreamStart = period.start ?? { kind: 'live' }
  if (!usesPosition(opening)) return { definition, position: undefined, start }
  const { config } = context
  const { event, request, name } = definition
  const folder = config.stateFolder
  const key = { server: config.baseUrl, event, request, name }
  const anew = flags.now === true || (!config.catchup && flags.catchup !== true)
  const position = flags.dryRun === true ? undefined : await openLocked(folder, key, { anew, context })
  const cursor = position === undefined && !anew ? await readCursor(folder, key) : position?.cursor
  if (cursor === undefined || period.start !== undefined) return { definition, position, start }
  context.output.log('INFO', `Starting from last notification received (${event})`)
  return { definition, position, start: { kind: 'cursor', cursor } }
}

/** Whether the listener goes on where the last run ended. Someone who looks with `--event` does not mean the last look, unless they say so. */
function usesPosition({ flags, period }: Opening): boolean {
  if (period.until !== undefined) return false
  return flags.event === undefined || flags.catchup === true || flags.state !== undefined
}

async function openLocked(
  folder: string,
  key: PositionKey,
  { anew, context }: { readonly anew: boolean; readonly context: CommandContext },
): Promise<Position> {
  const { clock, stop, output } = context
  const onWait = (message: string): void => output.log('WARNING', message)
  const position = await openPosition(folder, key, { anew, clock, stop, onWait })
  if (!position.isLocked) {
    context.output.log(
      'WARNING',
      `This Node cannot lock positions: do not start this listener (${key.event}) twice at the same time`,
    )
  }
  return position
}

interface RunOptions {
  readonly flags: ListenFlags
  readonly period: Period
  readonly schemas: Schemas
  readonly onConnected: () => void
  readonly onReceived: (event: CloudEvent) => void
  readonly onCaughtUp: () => void
}

async function runOne(
  { definition, position, start }: Running,
  context: CommandContext,
  options: RunOptions,
): Promise<void> {
  const { config } = context
  const { event, request, triggers } = definition
  const stream = followStream({
    ...context,
    target: { baseUrl: config.baseUrl, event, request },
    start,
    onGap: options.flags.onGap ?? 'stop',
    timeoutMs: config.timeoutMs,
    retryDelayMs: config.retryDelayMs,
  })
  await runListener({
    ...context,
    stream,
    triggers,
    position,
    until: options.period.until,
    prepare: prepareOf(definition, context, options),
    payloadName: () => payloadNameOf(event, context, options.schemas),
    onConnected: options.onConnected,
    onReceived: options.onReceived,
    onCaughtUp: options.onCaughtUp,
  })
}

/** A listener for whole runs hands commands a file with all notifications of the run. */
function prepareOf(
  { isOfRuns, triggers }: ListenerDefinition,
  context: CommandContext,
  { flags }: RunOptions,
): ListenerParts['prepare'] {
  const needsFile = isOfRuns === true && triggers.some(({ type }) => type === 'command')
  return needsFile && flags.dryRun !== true ? createRunFiles(context) : undefined
}

/** The payload's name in the service's schema. When the service cannot say it, the name in the client's schema is used. */
export async function payloadNameOf(
  event: string,
  context: CommandContext,
  schemas: Schemas,
): Promise<string> {
  const known = schemas.get(event)?.payloadName ?? 'payload'
  try {
    const { schema } = await call(context, {
      path: `/api/v1/schema/${encodeURIComponent(event)}`,
      method: 'GET',
      attempts: SCHEMA_ATTEMPTS,
      failure: `Not able to read the schema of ${event}`,
    })
    const payload: unknown =
      typeof schema === 'object' && schema !== null && 'payload' in schema ? schema.payload : undefined
    const name: unknown =
      typeof payload === 'object' && payload !== null && 'name' in payload ? payload.name : undefined
    return typeof name === 'string' ? name : known
  } catch (error) {
    context.output.log('WARNING', `${messageOf(error)}; using "${known}" as the name of its payload`)
    return known
  }
}

/** The store keys as 1.x shows them; the event type when only the service knows its keys. */
function keysOf({ event, request }: ListenerDefinition, schemas: Schemas): readonly string[] {
  try {
    return schemas.get(event)?.baseKeys(request) ?? [event]
  } catch {
    return [event]
  }
}

function statusText(
  { received, lastAt }: { readonly received: number; readonly lastAt: number },
  now: number,
  replaying: string | undefined,
): string {
  const last = received === 0 ? '' : ` · ${Math.round((now - lastAt) / 1000)} s ago`
  return `${replaying ?? 'listening'} · ${received} received${last}`
}

function throwFirst(results: readonly PromiseSettledResult<void>[], { output }: CommandContext): void {
  const failures = results.flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  )
  const [first, ...others] = failures
  for (const other of others) output.log('ERROR', messageOf(other))
  if (first !== undefined) throw first
}
