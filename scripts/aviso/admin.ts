/**
 * The command `aviso admin`: runs the jobs of the admin service by hand.
 *
 * @module
 */

import { toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter } from '#shared/bytes/lines.ts'
import { ClientError, EXIT_USAGE, reasonOf } from '#shared/client/client_error.ts'
import { call } from '#shared/client/call.ts'
import { readAnswer } from '#shared/client/connection.ts'
import { within } from '#shared/time/deadline.ts'
import { adminStatusText } from './admin_status.ts'
import { printAnswer } from './answer.ts'
import { backUp, type BackupFlags } from './admin_backup.ts'
import type { MigrateFlags } from './admin_migrate.ts'
import type { RestoreFlags } from './admin_restore.ts'
import type { CommandContext } from './context.ts'
import type { ServicesFlags } from './services_store.ts'

/** The task that the command line names. */
export type AdminTask =
  | { readonly kind: 'status' }
  | { readonly kind: 'job'; readonly job: 'compact' | 'clean' | 'defragment'; readonly options: JobFlags }
  | { readonly kind: 'wipe'; readonly stream: string | undefined; readonly options: JobFlags }
  | { readonly kind: 'delete'; readonly id: string }
  | { readonly kind: 'backup'; readonly file: string; readonly options: BackupFlags }
  | { readonly kind: 'restore'; readonly file: string; readonly options: RestoreFlags }
  | { readonly kind: 'renew-epoch'; readonly options: ServicesFlags }
  | { readonly kind: 'migrate'; readonly options: MigrateFlags }

/** Flags of the jobs, as commander gives them. */
export interface JobFlags {
  readonly dryRun?: boolean
  readonly trustClock?: boolean
  readonly byDate?: boolean
  readonly full?: boolean
  readonly events?: readonly string[]
}

const NDJSON = 'application/x-ndjson'
/** Longest silence. The service sends a line every two seconds, so after a longer silence the connection is lost. */
const SILENCE_MS = 30_000
/** Longest line. A result has a few hundred bytes. */
const MAX_LINE_BYTES = 1024 * 1024
/** Few attempts, so that a read ends before its user loses patience. */
const ATTEMPTS = 3

/** Runs the task, and prints its result: the status as tables unless JSON is asked for, all others as JSON. */
export async function administrate(task: AdminTask, context: CommandContext): Promise<void> {
  switch (task.kind) {
    case 'status': {
      const request = {
        path: '/api/v1/admin/status',
        method: 'GET',
        attempts: ATTEMPTS,
        failure: 'Not able to read the status',
      } as const
      const answer = withoutEnvelope(await call(context, request))
      return printAnswer({ text: adminStatusText(answer), json: answer }, context)
    }
    case 'job': {
      const request = {
        path: `/api/v1/admin/${task.job}`,
        method: 'POST',
        body: toBody(task.options),
      } as const
      return print(await runJob(request, context), context)
    }
    case 'wipe': {
      const { stream, options } = task
      const path = stream === undefined ? '/api/v1/admin/wipe/all' : '/api/v1/admin/wipe/stream'
      const body = { ...toBody(options), ...(stream !== undefined && { stream_name: stream }) }
      return print(await runJob({ path, method: 'DELETE', body }, context), context)
    }
    case 'backup':
      return backUp(task.file, task.options, context)
    case 'restore':
    case 'renew-epoch':
    case 'migrate':
      return workOnStore(task, context)
    case 'delete': {
      const path = `/api/v1/admin/notification/${encodeURIComponent(task.id)}`
      return print(await runJob({ path, method: 'DELETE' }, context), context)
    }
  }
}

/** Tasks that work on a store without a service. */
type StoreTask = Extract<AdminTask, { readonly kind: 'restore' | 'renew-epoch' | 'migrate' }>

/** Loads what a task needs when it is asked for: the services' configuration and SQLite, which the client works without. */
async function workOnStore(task: StoreTask, context: CommandContext): Promise<void> {
  if (!('withResolvers' in Promise))
    throw new ClientError(
      `aviso admin ${task.kind} opens the store itself, for which it needs Node 22.18 or newer`,
      {
        exitCode: EXIT_USAGE,
      },
    )
  switch (task.kind) {
    case 'restore':
      return (await import('./admin_restore.ts')).restore(task.file, task.options, context)
    case 'renew-epoch':
      return (await import('./admin_renew_epoch.ts')).renew(task.options, context)
    case 'migrate':
      return (await import('./admin_migrate.ts')).migrate(task.options, context)
  }
}

function toBody({ dryRun, trustClock, byDate, full, events }: JobFlags): Record<string, unknown> {
  return {
    ...(dryRun === true && { dry_run: true }),
    ...(trustClock === true && { trust_clock: true }),
    ...(byDate === true && { by_date: true }),
    ...(full === true && { full: true }),
    ...(events !== undefined && { events }),
  }
}

interface JobRequest {
  readonly path: string
  readonly method: 'POST' | 'DELETE'
  readonly body?: Readonly<Record<string, unknown>>
}

type Line = Readonly<Partial<Record<'progress' | 'result' | 'error', Readonly<Record<string, unknown>>>>>

/** Asks for a job once, shows its progress, and returns its result. The job goes on when this client is stopped. */
async function runJob(
  request: JobRequest,
  context: CommandContext,
): Promise<Readonly<Record<string, unknown>>> {
  const { config, credentials, stop, output } = context
  const silence = new AbortController()
  const response = await context
    .fetch(config.baseUrl + request.path, {
      method: request.method,
      headers: {
        Accept: `${NDJSON}, application/json`,
        'Content-Type': 'application/json',
        ...credentials.headers(),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      signal: AbortSignal.any([stop, silence.signal]),
    })
    .catch((cause: unknown) => {
      throw new ClientError(`Unable to connect to ${config.baseUrl}: ${reasonOf(cause)}`, { cause })
    })
  if (response.headers.get('content-type') !== NDJSON) {
    const answer = await readAnswer(response)
    if (response.status === 200) return answer
    throw failure(response.status, answer)
  }
  for await (const line of readLines(response, silence, context)) {
    if (line.progress !== undefined) output.status(describe(line.progress))
    if (line.error !== undefined) throw failure(line.error['status'], line.error)
    if (line.result?.['success'] === true) return line.result
    if (line.result !== undefined) throw failure(500, line.result)
  }
  throw new ClientError('The service ended before the job: see the result of the job with aviso admin status')
}

async function* readLines(
  response: Response,
  silence: AbortController,
  { clock }: CommandContext,
): AsyncGenerator<Line, void, undefined> {
  if (response.body === null) return
  const lines = createLineSplitter({ maxBytes: MAX_LINE_BYTES })
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const late = (): never => {
    silence.abort()
    throw new Error(`nothing heard for ${SILENCE_MS / 1000} s`)
  }
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), { clock, ms: SILENCE_MS, late })
      if (done) return
      for (const line of lines.add(value)) yield JSON.parse(toText(line)) as Line
    }
  } catch (cause) {
    throw new ClientError(
      `Connection lost: ${reasonOf(cause)}; the job goes on: see it with aviso admin status`,
      { cause },
    )
  }
}

/** The progress on one line, such as `deleted 1200, bytes 345678`. */
function describe(progress: Readonly<Record<string, unknown>>): string {
  const figures = Object.entries(progress).filter(([, value]) => typeof value === 'number')
  return figures.map(([name, value]) => `${name} ${String(value)}`).join(', ')
}

function failure(status: unknown, answer: Readonly<Record<string, unknown>>): ClientError {
  const said = typeof answer['message'] === 'string' ? answer['message'] : 'no reason given'
  return new ClientError(`Not done, status ${String(status)}: ${said}`, { status: Number(status) })
}

function print(answer: Readonly<Record<string, unknown>>, { output }: CommandContext): void {
  output.clearStatus()
  output.result(JSON.stringify(withoutEnvelope(answer), undefined, 2))
}

function withoutEnvelope({
  success: _success,
  request_id: _requestId,
  ...rest
}: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return rest
}
