/**
 * A service that speaks the contract of runs, and nothing else: what a test puts into it is what it answers. It can be restarted.
 *
 * @module
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '#shared/time/clock.ts'
import type { ClientConfig } from '../../../../../scripts/aviso/config.ts'
import type { CommandContext } from '../../../../../scripts/aviso/context.ts'
import type { RunPage } from '../../../../../scripts/aviso/runs/run_view.ts'
import { createScaledClock } from '../../../../support/clock.ts'
import { answer, never, recordedOutput, type RecordedOutput, type TestContext } from '../fixture.ts'

/** Pauses of seconds take a twentieth. */
const CLOCK_FACTOR = 20

type Fields = Readonly<Record<string, string>>

/** A notification as a stream gives it. */
export interface Told {
  readonly event: string
  readonly identifier: Fields
  readonly payload?: unknown
  readonly time?: string
}

/** The service of a test. */
export interface RunsService {
  readonly url: string
  /** Path and query of every request. */
  readonly asked: string[]
  /** Runs by id, the newest first. */
  readonly runs: Map<string, RunPage>
  /** Notifications of history. */
  readonly history: Told[]
  /** Event types whose streams are refused. */
  readonly refused: Set<string>
  /** Changes a run. */
  put(run: RunPage): void
  /** Changes a run and publishes a notification of it. */
  announce(run: RunPage, state?: string): void
  /** Publishes a notification. */
  tell(told: Told): void
  /** Streams that are open, by event type. */
  streams(event: string): number
  stop(): Promise<void>
  /** Listens again, on the same port. */
  start(): Promise<void>
}

const SCHEMA = {
  mars: {
    payload: { name: 'location', required: false },
    identifier: {
      class: { type: 'EnumHandler', values: ['od', 'rd'] },
      stream: { type: 'EnumHandler', values: ['oper', 'wave'] },
      date: { type: 'DateHandler' },
      time: { type: 'TimeHandler' },
      step: { type: 'IntHandler' },
    },
  },
  flight: {
    payload: { name: 'payload', required: false },
    identifier: { country: { type: 'StringHandler' } },
  },
}
const RUN_SCHEMA = {
  payload: { name: 'payload', required: false },
  identifier: {
    event_type: { type: 'EnumHandler', values: ['mars'] },
    state: { type: 'EnumHandler', values: ['started', 'complete', 'late', 'recovered', 'incomplete'] },
    class: { type: 'EnumHandler', values: ['od', 'rd'] },
    stream: { type: 'EnumHandler', values: ['oper', 'wave'] },
    date: { type: 'DateHandler' },
    time: { type: 'TimeHandler' },
  },
}

/** Runs of `mars` are followed, unless a test says otherwise. */
export async function startRunsService(
  context: TestContext,
  {
    isConfigured = true,
    events = ['mars'],
    required = [],
  }: {
    readonly isConfigured?: boolean
    /** Event types whose runs are followed. */
    readonly events?: readonly string[]
    /** Fields besides that a stream of runs must name, where the event type has them. */
    readonly required?: readonly string[]
  } = {},
): Promise<RunsService> {
  const event_type = { type: 'EnumHandler', values: events }
  const fields = { ...RUN_SCHEMA.identifier, ...SCHEMA.flight.identifier, event_type }
  const needed = [...required, 'event_type']
  const runSchema = {
    ...RUN_SCHEMA,
    identifier: Object.fromEntries(
      Object.entries(required.length === 0 ? { ...RUN_SCHEMA.identifier, event_type } : fields).map(
        ([name, field]) => [name, { ...field, required: needed.includes(name) }],
      ),
    ),
  }
  const asked: string[] = []
  const runs = new Map<string, RunPage>()
  const history: Told[] = []
  const refused = new Set<string>()
  const open = new Map<ServerResponse, URLSearchParams>()
  let number = 0
  let server: Server | undefined
  let port = 0

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://x')
    asked.push(`${url.pathname}${url.search}`)
    const { pathname, searchParams } = url
    if (pathname === '/api/v1/schema')
      return answer(response, 200, { schema: { ...SCHEMA, ...(isConfigured && { run: runSchema }) } })
    if (pathname === '/api/v1/schema/run') return answer(response, 200, { schema: runSchema })
    if (pathname === '/api/v1/watch') return stream(response, searchParams)
    if (pathname === '/api/v1/runs') return list(response, searchParams)
    if (pathname === '/api/v1/notifications') return page(response, searchParams)
    if (pathname.startsWith('/api/v1/runs/')) {
      const run = runs.get(decodeURIComponent(pathname.slice('/api/v1/runs/'.length)))
      return run === undefined
        ? answer(response, 404, { message: 'There is no such run' })
        : answer(response, 200, run)
    }
    answer(response, 404, { message: 'No such route' })
  }

  function list(response: ServerResponse, query: URLSearchParams): void {
    const controls = ['event', 'state', 'limit', 'cursor']
    const unknown = [...query.keys()].find(
      (name) => !controls.includes(name) && !Object.hasOwn(runSchema.identifier, name),
    )
    if (unknown !== undefined)
      return answer(response, 400, {
        message: `Runs of mars have no field ${unknown}; they have class, stream, date, time`,
      })
    const twice = [...query.keys()].find((name) => query.getAll(name).length > 1)
    if (twice !== undefined) return answer(response, 400, { message: `'${twice}' must be given once` })
    const matching = [...runs.values()].filter(
      (run) =>
        (query.get('event') ?? run.event_type) === run.event_type &&
        (!query.has('state') || query.getAll('state').includes(run.state)) &&
        [...query.keys()].every(
          (name) => controls.includes(name) || query.getAll(name).includes(run.run[name] ?? ''),
        ),
    )
    const from = Number(query.get('cursor') ?? 0)
    const end = from + Number(query.get('limit'))
    answer(response, 200, {
      runs: matching.slice(from, end).map(({ products: _products, ...run }) => run),
      next: end < matching.length ? String(end) : null,
    })
  }

  function stream(response: ServerResponse, query: URLSearchParams): void {
    const event = query.get('event') ?? ''
    if (refused.has(event)) return answer(response, 403, { message: 'You may not listen to it' })
    if (event === 'run' && !query.has('event_type'))
      return answer(response, 400, { message: 'Wrong listener file: event_type required' })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: live-notification\ndata: {"type":"connection_established"}\nid: e.0\n\n')
    open.set(response, query)
    response.once('close', () => open.delete(response))
  }

  function page(response: ServerResponse, query: URLSearchParams): void {
    const wanted = history.filter((told) => isWanted(told, query))
    const from = Number(query.get('cursor') ?? 0)
    const end = from + Number(query.get('limit'))
    const rest = end < wanted.length
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      ...(rest && { link: `</api/v1/notifications?${withCursor(query, end)}>; rel="next"` }),
    })
    response.end(
      wanted
        .slice(from, end)
        .map((told, index) => `${cloudEvent(told, from + index + 1)}\n`)
        .join(''),
    )
  }

  function tell(told: Told): void {
    history.push(told)
    number += 1
    for (const [response, query] of open) {
      if (!isWanted(told, query)) continue
      response.write(`event: live-notification\ndata: ${cloudEvent(told, number)}\nid: e.${number}\n\n`)
    }
  }

  const service: RunsService = {
    get url() {
      return `http://127.0.0.1:${port}`
    },
    asked,
    runs,
    history,
    refused,
    put: (run) => void runs.set(run.id, run),
    announce(run, state = run.state) {
      runs.set(run.id, run)
      const { products: _products, ...payload } = run
      tell({ event: 'run', identifier: { event_type: run.event_type, state, ...run.run }, payload })
    },
    tell,
    streams: (event) => [...open.values()].filter((query) => query.get('event') === event).length,
    async stop() {
      if (server === undefined) return
      const closing = server
      server = undefined
      closing.close()
      closing.closeAllConnections()
      await once(closing, 'close')
    },
    async start() {
      server = createServer(handle)
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
  }
  await service.start()
  context.after(() => service.stop())
  return service
}

function isWanted({ event, identifier }: Told, query: URLSearchParams): boolean {
  const controls = ['event', 'order', 'limit', 'cursor', 'from', 'to']
  return (
    query.get('event') === event &&
    [...query.keys()].every(
      (name) => controls.includes(name) || query.getAll(name).includes(identifier[name] ?? ''),
    )
  )
}

function withCursor(query: URLSearchParams, cursor: number): URLSearchParams {
  const next = new URLSearchParams(query)
  next.set('cursor', String(cursor))
  return next
}

function cloudEvent(
  { event, identifier, payload, time = '2026-08-10T18:00:00.000Z' }: Told,
  number: number,
): string {
  return JSON.stringify({
    specversion: '1.0',
    id: `${event}@${number}`,
    source: 'http://aviso',
    type: `int.ecmwf.aviso.${event}`,
    time,
    data: { identifier, ...(payload !== undefined && { payload }) },
  })
}

/** A run of `mars` of 10 August 2026, 12 UTC, which has four steps. @param steps Those that came. */
export function marsRun(steps: readonly number[] = [], changes: Partial<RunPage> = {}): RunPage {
  const run = { class: 'od', stream: 'oper', date: '20260810', time: '12', ...changes.run }
  const expected = [0, 6, 12, 18]
  const missing = expected.filter((step) => !steps.includes(step))
  const state = steps.length === 0 ? 'expected' : missing.length === 0 ? 'complete' : 'running'
  const isDone = missing.length === 0
  return {
    id: `mars:${Object.values(run).join(',')}`,
    event_type: 'mars',
    nominal: '2026-08-10T12:00:00.000Z',
    state,
    received: steps.length,
    expected: expected.length,
    extra: 0,
    repeated: 0,
    first_at: steps.length === 0 ? null : '2026-08-10T17:45:03.000Z',
    last_at: steps.length === 0 ? null : '2026-08-10T18:00:00.000Z',
    complete_at: isDone ? '2026-08-10T18:20:00.000Z' : null,
    republished_at: null,
    due_at: '2026-08-10T18:40:00.000Z',
    usual: { first_at: '2026-08-10T17:45:00.000Z', complete_at: '2026-08-10T18:27:00.000Z' },
    eta: isDone
      ? null
      : { at: '2026-08-10T18:31:00.000Z', from: '2026-08-10T18:20:00.000Z', to: '2026-08-11T00:02:00.000Z' },
    learning: null,
    overdue: 0,
    missing: {
      count: missing.length,
      products: missing.map((step) => ({ step: String(step) })),
      truncated: false,
    },
    products: expected.map((step) => {
      const came = steps.includes(step)
      return {
        product: { step: String(step) },
        at: came ? '2026-08-10T18:00:00.000Z' : null,
        due_at: '2026-08-10T18:40:00.000Z',
        lateness_seconds: came ? -2400 : null,
        state: came ? 'received' : 'missing',
      }
    }),
    products_truncated: false,
    ...changes,
    run,
  }
}

/** The context of a command, whose clock runs fast. */
export function runsContext(
  { url }: Pick<RunsService, 'url'>,
  changes: Partial<CommandContext> = {},
): { readonly context: CommandContext; readonly output: RecordedOutput; readonly clock: Clock } {
  const output = recordedOutput()
  const clock = createScaledClock(CLOCK_FACTOR)
  const config: Partial<ClientConfig> = { baseUrl: url, authType: 'none', retryDelayMs: 1_000 }
  const context: CommandContext = {
    config: config as ClientConfig,
    credentials: { headers: () => ({}), reload: () => Promise.resolve(false) },
    output,
    json: false,
    home: '/home/joe',
    environment: {},
    fetch: (address, init) => fetch(address, init),
    clock,
    random: () => 0.5,
    uuid: () => 'uuid',
    readText: () => Promise.resolve(undefined),
    stop: never,
    kill: never,
    ...changes,
  }
  return { context, output, clock }
}
