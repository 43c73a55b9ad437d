/**
 * The command `aviso wait`: waits until a run is complete, or that far.
 *
 * It opens the streams first and then looks, so what happens between two looks is a reason for another one. A look that fails is repeated,
 * so a restart of the service is waited for, too.
 *
 * @module
 */

import { ClientError, EXIT_FAILURE, EXIT_INTERRUPTED } from '#shared/client/client_error.ts'
import type { CommandContext } from '../context.ts'
import { followChanges, type Changes, type Source } from './run_changes.ts'
import {
  followsNone,
  howToFollow,
  isRunId,
  readRunRequest,
  requireField,
  runSources,
  usage,
  type KnownRequest,
} from './run_request.ts'
import { fetchRun, fetchRuns, type Asking } from './run_service.ts'
import { barText, endText, learningText, missingText, plain, runName, styleOf } from './run_text.ts'
import { isComplete, type RunView } from './run_view.ts'
import {
  goalText,
  judge,
  parseGoal,
  type Failure,
  type Goal,
  type Judged,
  type Verdict,
} from './wait_goal.ts'

/** Flags of `wait`, as commander gives them. */
export interface WaitFlags {
  readonly until?: string
  readonly timeout?: string
  readonly late?: 'fail' | 'wait'
}

/** How the waiting ended. */
interface Outcome {
  readonly why: 'reached' | Failure | 'timeout'
  readonly text: string
  /** Absent: there was none. */
  readonly run?: Judged | undefined
}

/** Everything that one waiting works with. */
interface Waiting {
  readonly request: KnownRequest
  readonly goal: Goal
  readonly flags: WaitFlags
  readonly context: CommandContext
  /** Aborts at the time limit, or when the client is told to stop. */
  readonly asking: Asking
}

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** Longest time limit: a timer of JavaScript cannot be longer than 24.8 days. */
const MAX_TIMEOUT_MS = 24 * UNIT_MS.d
/** Longest pause before a service that was away is asked again: a script waits for the answer. */
const MOST_RETRY_MS = 10_000
/** Runs that a message names. */
const RUNS_NAMED = 4
/** Characters of the bar in the status line. */
const BAR = 16

/**
 * Waits.
 *
 * @param words An event type and the fields of one run, or the id of a run.
 * @throws {ClientError} with exit code 1 where the run is late, closed, or not that far in time; 2 for a mistake; 130 for a signal;
 *   255 for a user to whom neither the run nor its stream is open.
 */
export async function wait(
  words: readonly string[],
  flags: WaitFlags,
  context: CommandContext,
): Promise<void> {
  const goal = parseGoal(flags.until ?? 'complete')
  const limitMs = flags.timeout === undefined ? undefined : timeoutMs(flags.timeout)
  const { clock, config, stop } = context
  const over = new AbortController()
  const cancel = limitMs === undefined ? undefined : clock.after(limitMs, () => over.abort())
  const retryDelayMs = Math.min(config.retryDelayMs ?? MOST_RETRY_MS, MOST_RETRY_MS)
  const asking = {
    ...context,
    config: { ...config, retryDelayMs },
    stop: AbortSignal.any([stop, over.signal]),
  }
  try {
    const outcome = await waitFor(words, { goal, flags, context, asking })
    report(outcome, { goal, flags, context })
  } finally {
    cancel?.()
    context.output.clearStatus()
  }
}

async function waitFor(words: readonly string[], parts: Omit<Waiting, 'request'>): Promise<Outcome> {
  const { goal, context, asking, flags } = parts
  const request = await untilStopped(asking, () => requestOf(words, parts))
  if (request === undefined) return over(undefined, parts)
  const dates = Object.keys(request.types).filter(
    (field) => request.types[field] === 'date' && request.followed?.fields.includes(field) === true,
  )
  for (const field of dates.filter((date) => !Object.hasOwn(request.fields, date)))
    context.output.log('WARNING', `Without ${field}=today a run of another day counts, too`)
  context.output.log('INFO', `Waiting for ${requestText(request)} until ${goalText(goal)}${limitText(flags)}`)
  const changes = followChanges(
    sourcesOf(request, goal),
    { isWatched: context.output.isStatusShown === true },
    asking,
  )
  try {
    await changes.opened()
    return await lookUntil({ ...parts, request }, changes)
  } finally {
    changes.close()
  }
}

/** Looks, again and again, until that decides. */
async function lookUntil(waiting: Waiting, changes: Pick<Changes, 'next' | 'refusal'>): Promise<Outcome> {
  const { goal, flags, asking } = waiting
  const notes = createNotes(waiting)
  let run: Judged | undefined
  for (;;) {
    const found = await untilStopped(asking, () => look(waiting, run))
    run = found ?? run
    if (asking.stop.aborted) return over(run, waiting)
    const verdict = run === undefined ? undefined : judge(goal, run)
    if (verdict?.kind === 'reached') return { why: 'reached', text: verdict.text, run }
    if (verdict?.kind === 'failed' && !(verdict.why === 'late' && flags.late === 'wait'))
      return { why: verdict.why, text: verdict.text, run }
    const refusal = run === undefined ? changes.refusal() : undefined
    // Whether there is none, or one that the user may not see, the service does not say. A script must not wait for the latter.
    if (refusal !== undefined)
      throw new ClientError(`${refusal}. No such run is shown to this user: ${requestText(waiting.request)}`)
    notes(run, verdict)
    await changes.next()
    if (asking.stop.aborted) return over(run, waiting)
  }
}

/** @throws {ClientError} with exit code 2 for what cannot be waited for. */
async function requestOf(
  words: readonly string[],
  { goal, asking }: Omit<Waiting, 'request'>,
): Promise<KnownRequest> {
  const [id = ''] = words
  const request =
    words.length === 1 && isRunId(id)
      ? await requestOfRun(id, asking)
      : await readRunRequest(words, asking, Number.POSITIVE_INFINITY)
  const { event, followed } = request
  if (followed !== undefined && event !== undefined && !followed.events.includes(event)) {
    if (followed.events.length === 0) throw followsNone(event)
    const those = `those of ${followed.events.join(', ')}`
    throw usage(`The services follow no runs of ${event}, but ${those}. ${howToFollow(event)}`)
  }
  if (goal.kind === 'products') for (const field of Object.keys(goal.fields)) requireField(request, field)
  return request
}

async function requestOfRun(id: string, asking: Asking): Promise<KnownRequest> {
  const run = await fetchRun(id, asking, Number.POSITIVE_INFINITY)
  if (run === undefined)
    throw usage(
      `There is no run ${id}, or none that you may see. To wait for one that has not begun, name its fields: aviso wait mars class=od … date=today time=12`,
    )
  const pairs = Object.entries(run.run).map(([field, value]) => `${field}=${value}`)
  return readRunRequest([run.event_type, ...pairs], asking, Number.POSITIVE_INFINITY)
}

/** The run's own notifications, and those of its products where each of them may be the one. */
function sourcesOf(request: KnownRequest, goal: Goal): readonly Source[] {
  const own = runSources(request)
  if (goal.kind === 'complete' || request.event === undefined) return own
  const wanted = goal.kind === 'products' ? goal.fields : {}
  return [
    ...own,
    { name: request.event, event: request.event, request: { ...request.fields, ...wanted }, lacks: [] },
  ]
}

/**
 * The run as it is now.
 *
 * @returns it; `undefined` when there is none yet
 * @throws {ClientError} with exit code 2 where several runs match.
 */
async function look(
  { request, goal, asking }: Waiting,
  before: Judged | undefined,
): Promise<Judged | undefined> {
  const { runs } = await fetchRuns(
    { ...request, states: [], limit: RUNS_NAMED + 1 },
    asking,
    Number.POSITIVE_INFINITY,
  )
  const run = before === undefined ? runs[0] : runs.find(({ id }) => id === before.id)
  if (run === undefined) return undefined
  if (before === undefined && runs.length > 1) throw severalRuns(runs)
  return goal.kind === 'products' ? fetchRun(run.id, asking, Number.POSITIVE_INFINITY) : run
}

function severalRuns(runs: readonly RunView[]): ClientError {
  const names = runs.slice(0, RUNS_NAMED).map(runName).join(', ')
  const [first] = runs
  const differs = Object.keys(first?.run ?? {}).filter(
    (field) => new Set(runs.map(({ run }) => run[field])).size > 1,
  )
  const add = differs.map((field) => `${field}=${first?.run[field] ?? ''}`).join(' ')
  return usage(
    `Several runs match: ${names}${runs.length > RUNS_NAMED ? ', …' : ''}. Name one of them: add such as ${plain(add)}`,
  )
}

/** What a request answers; `undefined` where the time was over before it did. */
async function untilStopped<Value>({ stop }: Asking, ask: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (stop.aborted) return undefined
    throw error
  }
}

/** @throws {ClientError} with exit code 130 when it was a signal and not the time limit. */
function over(run: Judged | undefined, { goal, flags, context }: Omit<Waiting, 'request'>): Outcome {
  if (context.stop.aborted) throw new ClientError('Stopped while waiting', { exitCode: EXIT_INTERRUPTED })
  const limit = flags.timeout ?? ''
  if (run === undefined) return { why: 'timeout', text: `no such run after ${limit}` }
  const verdict = judge(goal, run)
  if (verdict.kind === 'reached') return { why: 'reached', text: verdict.text, run }
  return { why: 'timeout', text: `is not that far (${goalText(goal)}) after ${limit}: ${verdict.text}`, run }
}

/** Prints how it ended. @throws {ClientError} with exit code 1 for all but the goal. */
function report(
  { why, text, run }: Outcome,
  { goal, context }: Pick<Waiting, 'goal' | 'flags' | 'context'>,
): void {
  const isReached = why === 'reached'
  const told = `${run === undefined ? '' : `${runName(run)} `}${text}`
  if (context.json) {
    context.output.result(
      JSON.stringify({ reached: isReached, why, until: goalText(goal), run: run ?? null }),
    )
  } else if (isReached) context.output.result(told)
  if (isReached) return
  const missing = run === undefined || isComplete(run) ? '' : missingText(run)
  throw new ClientError(`${told}${missing === '' ? '' : `; ${missing}`}`, { exitCode: EXIT_FAILURE })
}

/** Tells a person how far it is: a status line, and a message where something changes. */
function createNotes({
  goal,
  context,
}: Omit<Waiting, 'request'>): (run: Judged | undefined, verdict: Verdict | undefined) => void {
  const { output } = context
  let toldState: string | undefined
  let toldLearning = false
  return (run, verdict) => {
    if (run === undefined) return output.status('no such run yet')
    if (run.state !== toldState) {
      output.log('INFO', `${runName(run)} ${verdict?.text ?? ''}`)
      toldState = run.state
    }
    if (run.learning !== null && run.expected === null && goal.kind !== 'products' && !toldLearning) {
      toldLearning = true
      output.log(
        'WARNING',
        `How much this run has is not known yet (${learningText(run.learning)}), so nothing says when it is complete. Wait for a product, such as --until step=240`,
      )
    }
    output.status(statusText(run, verdict, context))
  }
}

function statusText(run: Judged, verdict: Verdict | undefined, context: CommandContext): string {
  const style = styleOf(context)
  const end = endText(run, style)
  return [
    runName(run),
    barText(run, BAR, style),
    verdict?.text ?? '',
    end === '' ? '' : `complete ${end} UTC`,
  ]
    .filter((text) => text !== '')
    .join('  ')
}

function requestText({ event, fields }: KnownRequest): string {
  const pairs = Object.entries(fields).map(([field, values]) => `${field}=${values.join(',')}`)
  return [event, ...pairs].join(' ')
}

function limitText({ timeout }: WaitFlags): string {
  return timeout === undefined ? '' : `, at most ${timeout}`
}

/** @throws {ClientError} with exit code 2 for a text that is no duration. */
function timeoutMs(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})([smhd])/g)]
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join('') === text
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit as 's'] ?? 0), 0)
  if (isWhole && ms > 0 && ms <= MAX_TIMEOUT_MS) return ms
  throw usage(`--timeout must be a time such as 90s, 45m, 3h or 1h30m, at most 24d; not ${text}`)
}
