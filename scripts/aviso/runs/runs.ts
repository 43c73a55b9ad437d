/**
 * The command `aviso runs`: shows runs as a table, one run with its products, or what changes.
 *
 * @module
 */

import { printAnswer } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import {
  howToFollow,
  isRunId,
  readRunRequest,
  runSources,
  runSourcesOfId,
  usage,
  type KnownRequest,
} from './run_request.ts'
import { fetchRun, fetchRuns, type Asking } from './run_service.ts'
import { styleOf } from './run_text.ts'
import { runPageText } from './run_page.ts'
import type { RunState } from './run_states.ts'
import type { RunPage, RunView } from './run_view.ts'
import { runsTable } from './runs_table.ts'
import { watchRuns, type Seen } from './watch_runs.ts'

/** Flags of `runs`, as commander gives them. */
export interface RunsFlags {
  readonly state?: readonly RunState[]
  readonly limit?: number
  readonly watch?: boolean
}

/** Few attempts, so that a question ends before its user loses patience. */
const ATTEMPTS = 4
/** Runs that fit a screen: several configurations over a few days. */
const DEFAULT_LIMIT = 20
/** Runs whose changes are printed as lines: also those that are closed a day after they began. */
const LINES_LIMIT = 200

/**
 * Shows runs.
 *
 * @param words The id of a run; or an event type, and fields with their values; none: all runs.
 * @throws {ClientError} with exit code 2 for an event type, a field or a value that the service does not know; and for a run that is not there.
 */
export async function runs(
  words: readonly string[],
  flags: RunsFlags,
  context: CommandContext,
): Promise<void> {
  const [first = ''] = words
  const id = words.length === 1 && isRunId(first) ? first : undefined
  const attempts = flags.watch === true ? Number.POSITIVE_INFINITY : ATTEMPTS
  const request = id === undefined ? await readRunRequest(words, context, attempts) : undefined
  const look = async (asking: Asking): Promise<Seen> =>
    request === undefined
      ? pageSeen(await pageOf(id ?? '', asking, attempts), context)
      : await lookAt(request, { flags, attempts, asking, context })
  if (flags.watch === true) {
    const sources = request === undefined ? runSourcesOfId(id ?? '') : runSources(request)
    return watchRuns(look, sources, context)
  }
  printAnswer(await look(context), context)
}

async function pageOf(id: string, asking: Asking, attempts: number): Promise<RunPage> {
  const page = await fetchRun(id, asking, attempts)
  if (page !== undefined) return page
  throw usage(`There is no run ${id}, or none that you may see. aviso runs lists them`)
}

function pageSeen(page: RunPage, context: CommandContext): Seen {
  return { runs: [page], text: runPageText(page, styleOf(context)), json: page }
}

interface Looking {
  readonly flags: RunsFlags
  readonly attempts: number
  readonly asking: Asking
  readonly context: CommandContext
}

/** A table; or a page, where the words name one run. */
async function lookAt(request: KnownRequest, { flags, attempts, asking, context }: Looking): Promise<Seen> {
  const isLines = flags.watch === true && (context.output.screen === undefined || context.json)
  const { state: states = [], limit = isLines ? LINES_LIMIT : DEFAULT_LIMIT } = flags
  const found = await fetchRuns({ ...request, states, limit }, asking, attempts)
  const [only] = found.runs
  if (only !== undefined && found.runs.length === 1 && isNamedBy(only, request)) {
    const page = await fetchRun(only.id, asking, attempts)
    if (page !== undefined) return pageSeen(page, context)
  }
  const json = { runs: found.runs, more: found.more }
  if (only === undefined) return { runs: [], text: emptyText(request, flags, context), json }
  const more = found.more ? `\nThere are more: --limit ${limit * 2}` : ''
  return { runs: found.runs, text: `${runsTable(found.runs, styleOf(context))}${more}`, json }
}

/** Whether every field of the run was given. */
function isNamedBy({ run }: RunView, { fields }: KnownRequest): boolean {
  return Object.keys(run).every((field) => fields[field]?.length === 1)
}

/** Says why there is nothing, and what to do. */
function emptyText(
  { event, fields, followed }: KnownRequest,
  { state = [] }: RunsFlags,
  { config }: CommandContext,
): string {
  const of = event === undefined ? '' : ` of ${event}`
  if (followed?.events.length === 0) return `No runs: the services follow none. ${howToFollow(event)}`
  if (event !== undefined && followed !== undefined && !followed.events.includes(event))
    return `No runs${of}: the services follow those of ${followed.events.join(', ')}. ${howToFollow(event)}`
  if (Object.keys(fields).length > 0 || state.length > 0)
    return `No run${of} matches. Without fields and --state, aviso runs${event === undefined ? '' : ` ${event}`} lists all that you may see`
  const sender = config.authType === 'none' ? ' without a token or key' : ''
  return `No runs${of} yet, or none that you may see${sender}. A run begins with its first product`
}
