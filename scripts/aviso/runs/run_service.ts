/**
 * Asks the service for runs.
 *
 * @module
 */

import { call, type CallContext } from '#shared/client/call.ts'
import { ClientError, EXIT_USAGE } from '#shared/client/client_error.ts'
import { followsNone, type RunRequest } from './run_request.ts'
import type { RunState } from './run_states.ts'
import { readRun, readRunPage, type RunPage, type RunView } from './run_view.ts'

/** What calls need. */
export type Asking = CallContext

/** Which runs. */
export interface RunsQuery extends RunRequest {
  readonly states: readonly RunState[]
  /** Most runs. */
  readonly limit: number
}

/** Runs of an answer. */
export interface Runs {
  readonly runs: readonly RunView[]
  /** Whether the service has more of them. */
  readonly more: boolean
}

/** Runs that one request asks for. */
const PAGE_RUNS = 100
/** The service takes one value of each field; more of them are several questions. */
const MAX_QUESTIONS = 32
/** What a service names that has the route, and is not told to follow runs. */
const RUNS_SETTING = 'vars.runs'

/**
 * Runs that match, newest nominal time first.
 *
 * @param attempts Most attempts of each request.
 * @throws {ClientError} for a refusal; with exit code 2 for a field or a value that the service does not know.
 */
export async function fetchRuns(query: RunsQuery, context: Asking, attempts: number): Promise<Runs> {
  const questions = questionsOf(query)
  if (questions.length > MAX_QUESTIONS)
    throw new ClientError(
      `These values make ${questions.length} questions to the service; ask at most ${MAX_QUESTIONS} at a time`,
      {
        exitCode: EXIT_USAGE,
      },
    )
  const found: Runs[] = []
  for (const question of questions) found.push(await fetchSome(question, query.limit, { context, attempts }))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const runs = found.flatMap((some) => some.runs).toSorted(byNominal)
  return {
    runs: runs.slice(0, query.limit),
    more: runs.length > query.limit || found.some(({ more }) => more),
  }
}

async function fetchSome(
  question: URLSearchParams,
  limit: number,
  { context, attempts }: { readonly context: Asking; readonly attempts: number },
): Promise<Runs> {
  const runs: RunView[] = []
  let cursor: string | undefined
  do {
    const parameters = new URLSearchParams(question)
    parameters.set('limit', String(Math.min(limit - runs.length, PAGE_RUNS)))
    if (cursor !== undefined) parameters.set('cursor', cursor)
    const answer = await ask(`/api/v1/runs?${parameters}`, context, attempts)
    if (!Array.isArray(answer['runs'])) throw noRuns(context)
    runs.push(...answer['runs'].map(readRun))
    cursor = typeof answer['next'] === 'string' ? answer['next'] : undefined
  } while (cursor !== undefined && runs.length < limit)
  return { runs, more: cursor !== undefined }
}

/**
 * One run with its products.
 *
 * @returns it; `undefined` when there is none, or none that this user may see
 * @throws {ClientError} for any other refusal.
 */
export async function fetchRun(id: string, context: Asking, attempts: number): Promise<RunPage | undefined> {
  try {
    return readRunPage(await ask(`/api/v1/runs/${encodeURIComponent(id)}`, context, attempts))
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return undefined
    throw error
  }
}

/** A question for each combination of values. */
function questionsOf({ event, fields, states }: RunsQuery): readonly URLSearchParams[] {
  let questions = [new URLSearchParams(event === undefined ? {} : { event })]
  const choices: readonly (readonly [string, readonly string[]])[] = [
    ...Object.entries(fields),
    ...(states.length === 0 ? [] : [['state', states] as const]),
  ]
  for (const [name, values] of choices)
    questions = questions.flatMap((before) =>
      [...new Set(values)].map((value) => new URLSearchParams([...before, [name, value]])),
    )
  return questions
}

/** The newest first; those without a nominal time last. */
function byNominal(a: RunView, b: RunView): number {
  return (b.nominal ?? '').localeCompare(a.nominal ?? '') || a.id.localeCompare(b.id)
}

/** One answer. A key is read again after a 401, because keys are renewed while a run is waited for. */
async function ask(
  path: string,
  context: Asking,
  attempts: number,
): Promise<Readonly<Record<string, unknown>>> {
  const request = { path, method: 'GET', attempts, failure: 'Not able to read runs' } as const
  try {
    return await call(context, request)
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    if (error.status === 401 && (await context.credentials.reload())) return call(context, request)
    if (error.status === 400)
      throw new ClientError(error.message, { exitCode: EXIT_USAGE, status: 400, cause: error })
    if (error.status === 404 && path.startsWith('/api/v1/runs?'))
      throw error.message.includes(RUNS_SETTING) ? followsNone() : noRuns(context)
    throw error
  }
}

function noRuns({ config }: Asking): ClientError {
  return new ClientError(
    `The service at ${config.baseUrl} does not know runs: it is older, or another service answers there`,
  )
}
