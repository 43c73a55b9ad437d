/**
 * The demonstration, `npm run demo`: the main job on real input. Starts the system on a free port and listeners with different requests,
 * posts one forecast run, and checks that each listener got exactly the matching notifications in order. Beside that, one run becomes
 * complete and another one late. Exits with 0 when all was told as it happened, otherwise with 1.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import defaultConfig from '../wrangler-like.config.json' with { type: 'json' }
import { DemoReader } from './demo/reader.ts'
import { DEMO_LISTENERS, forecastRun, type DemoListener, type RunNotification } from './demo/forecast_run.ts'
import { beginRuns, planRuns, type DemoRuns } from './demo/runs.ts'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'
import { runCommand } from './run_command.ts'
import { SERVE_CALL, serveCommand } from './released.ts'
import { print, tryWrite } from './standard_output.ts'

/** Number of publishers. Every third request is a batch, because providers send single notifications and batches. */
const PUBLISHERS = 16
const BATCH_SIZE = 50
/** Longest wait for the listeners after the last acknowledgement. */
const SETTLE_LIMIT_MS = 20_000
const PROGRESS_INTERVAL_MS = 250

interface DemoOptions {
  readonly store: string
  readonly url?: string
}

/** Runs the demonstration. @param call How it is called, for the usage text. @returns the exit code */
export async function demo(argv: readonly string[], call?: string): Promise<number> {
  return main(argv, call).catch((error: unknown) => {
    console.error(error instanceof Error ? `error: ${error.message}` : 'error: the demonstration failed')
    return 1
  })
}

async function main(argv: readonly string[], call: string | undefined): Promise<number> {
  const options = parseArguments(argv, call)
  if (typeof options === 'number') return options
  const folder = await mkdtemp(join(tmpdir(), 'aviso-demo-'))
  const runs = planRuns(Date.now(), Math.random())
  const server = options.url === undefined ? await startServer(options.store, folder, runs) : undefined
  const url = options.url ?? server?.url ?? ''
  try {
    print(`System: ${url}${server === undefined ? '' : ` (store ${options.store})`}`)
    if (server === undefined) {
      print('Runs are not shown: what is expected of them is configured where a system is started')
      return (await demonstrate(url)) ? 0 : 1
    }
    // Before the other listeners: products of these runs are not for them.
    const begun = await beginRuns(url, runs, (requests) => publishJob(url, requests.map(toNotification)))
    const isDelivered = await demonstrate(url)
    return (await begun.finish()) && isDelivered ? 0 : 1
  } finally {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function toNotification(request: Readonly<Record<string, string>>): RunNotification {
  return { event: 'mars', request, location: `mars://rd/${request['stream']}/${request['step']}` }
}

async function demonstrate(url: string): Promise<boolean> {
  // Each demonstration has a random date, so that older runs in a shared etcd do not matter.
  const run = forecastRun(
    `2026${String(1 + Math.floor(Math.random() * 12)).padStart(2, '0')}${String(1 + Math.floor(Math.random() * 28)).padStart(2, '0')}`,
    0,
  )
  const readers = await Promise.all(DEMO_LISTENERS.map((listener) => DemoReader.open(url, listener)))
  print(
    `Listeners: ${DEMO_LISTENERS.length} running. Publishing one forecast run of ${run.length} notifications`,
  )
  const startedAt = performance.now()
  const progress = { acknowledged: 0 }
  const stopProgress = showProgress(() => {
    const received = readers.reduce((sum, reader) => sum + reader.received.length, 0)
    return `  published ${progress.acknowledged}/${run.length} · delivered ${received}`
  })
  await publishRun(url, run, progress)
  const publishedMs = performance.now() - startedAt
  await Promise.race([
    Promise.all(readers.map((reader) => reader.hasReceived(expected(reader.listener, run).length))),
    new Promise((late) => setTimeout(late, SETTLE_LIMIT_MS).unref()),
  ])
  stopProgress()
  const seconds = (publishedMs / 1000).toFixed(2)
  print(
    `Published ${run.length} in ${seconds} s (${Math.round((run.length / publishedMs) * 1000)}/s); each was acknowledged after it was durable`,
  )
  const results = await Promise.all(readers.map((reader) => report(reader, run)))
  const passed = results.every(Boolean)
  print(
    passed
      ? 'Every listener got exactly what matches, in store order'
      : 'NOT every listener got exactly what matches',
  )
  return passed
}

function expected(listener: DemoListener, run: readonly RunNotification[]): readonly RunNotification[] {
  return run.filter(listener.wants)
}

/** Prints the line of a listener. @returns whether it got all matching notifications and no others, once each and in order */
async function report(reader: DemoReader<DemoListener>, run: readonly RunNotification[]): Promise<boolean> {
  await reader.close()
  const wanted = new Set(expected(reader.listener, run).map(({ location }) => location))
  const got = reader.received.map(({ location }) => location)
  const missing = wanted.size - new Set(got.filter((location) => wanted.has(location))).size
  const foreign = got.filter((location) => !wanted.has(location)).length
  const repeated = got.length - new Set(got).size
  const outOfOrder = reader.received.filter(
    ({ sequence }, index) => index > 0 && sequence <= (reader.received[index - 1]?.sequence ?? 0n),
  ).length
  const right = missing + foreign + repeated + outOfOrder === 0
  const problems = right
    ? 'ok'
    : `missing ${missing}, foreign ${foreign}, repeated ${repeated}, out of order ${outOfOrder}`
  print(`  ${right ? '✓' : '✗'} ${reader.listener.name}: ${got.length} of ${wanted.size} (${problems})`)
  return right
}

async function publishRun(
  url: string,
  run: readonly RunNotification[],
  progress: { acknowledged: number },
): Promise<void> {
  const jobs = toJobs(run)
  const worker = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      await publishJob(url, job)
      progress.acknowledged += job.length
    }
  }
  await Promise.all(Array.from({ length: PUBLISHERS }, worker))
}

/** Splits the run into single notifications and batches, in order. */
function toJobs(run: readonly RunNotification[]): RunNotification[][] {
  const jobs: RunNotification[][] = []
  for (let start = 0; start < run.length;) {
    const size = jobs.length % 3 === 2 ? BATCH_SIZE : 1
    jobs.push(run.slice(start, start + size))
    start += size
  }
  return jobs
}

async function publishJob(url: string, job: readonly RunNotification[]): Promise<void> {
  const events = job.map((data) => ({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: '/demo/forecast',
    type: 'aviso',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data,
  }))
  const single = events.length === 1
  const response = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: {
      'Content-Type': single ? 'application/cloudevents+json' : 'application/cloudevents-batch+json',
    },
    body: JSON.stringify(single ? events[0] : events),
  })
  const answer = await response.text()
  if (response.status !== 200) throw new Error(`The ingest answered ${response.status}: ${answer}`)
}

function showProgress(line: () => string): () => void {
  const terminal = process.stdout.isTTY
  const timer = setInterval(
    // In vain, too: what comes next tells it.
    () => void tryWrite(terminal ? `\r${line()}` : `${line()}\n`),
    terminal ? PROGRESS_INTERVAL_MS : PROGRESS_INTERVAL_MS * 4,
  )
  return () => {
    clearInterval(timer)
    print(`${terminal ? '\r' : ''}${line()}`)
  }
}

async function startServer(
  store: string,
  folder: string,
  { expectations }: DemoRuns,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const [program, ...words] = serveCommand()
  const config = { ...defaultConfig, vars: { ...defaultConfig.vars, runs: expectations } }
  const file = join(folder, 'demo.config.json')
  await writeFile(file, JSON.stringify(config))
  const argv = [...words, '--port', '0', '--store', store, '--data', folder, '--config', file]
  if (!store.startsWith('embedded:'))
    await requireStore([program, ...words], ['--store', store, '--config', file])
  const child: ChildProcess = spawn(program, argv, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const url = await new Promise<string>((found, failed) => {
    void exited.then(() => failed(new Error('The server ended before it listened')))
    if (child.stdout === null) return failed(new Error('The server has no output'))
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /^Listening on (\S+)$/.exec(line)
      if (match?.[1] !== undefined) found(match[1])
    })
  })
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** A store that does not answer is told before anything waits for it. @throws {Error} with the address and the cause. */
async function requireStore(
  [program, ...words]: readonly [string, ...string[]],
  flags: readonly string[],
): Promise<void> {
  const { code, output } = await runCommand(program, [...words, '--check', '--port', '0', ...flags])
  if (code === 0) return
  const [said] = /no answer from .*/i.exec(output) ?? []
  throw new Error(said ?? output.trim())
}

/** The command line. @param call How it is called. */
export function createDemoProgram(call = 'npm run demo --'): Command {
  return new Command(call)
    .description('Starts the system, posts one forecast run, and checks what each listener got.')
    .option('--store <url>', `store of the started system, as for ${SERVE_CALL}`, 'embedded:')
    .option('--url <url>', 'use a running system instead of starting one')
    .exitOverride()
}

function parseArguments(argv: readonly string[], call: string | undefined): DemoOptions | number {
  const program = createDemoProgram(call)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  return program.opts<DemoOptions>()
}

if (isMain(import.meta)) {
  process.exitCode = await demo(process.argv.slice(2))
}
