/**
 * Which of our files and functions run for one POST until the notification is delivered, told by V8's coverage of a live server.
 *
 * The server is the real one (`scripts/serve.ts`, all services, a store of its own, a free port on loopback). One listener follows one event
 * type. After a warm-up, each round publishes one notification and notes which functions ran until it was answered and delivered. Functions
 * that ran in every round are the path. The others ran by chance (a heartbeat, a sweep, a schedule) and are told apart.
 *
 * @module
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readEvents, type ItemReader } from '../support/streams.ts'

/** A function, as V8 tells it. */
export interface Place {
  /** Path from the root of the house, e.g. `shared/publish/lane.ts`. */
  readonly file: string
  /** Empty for a function without a name. */
  readonly name: string
  /** Characters before it in its file. */
  readonly offset: number
}

/** What the probe is asked. All paths are inside `folder`, which ends in a slash. */
export type ProbeQuestion =
  /** Functions called since the last time. */
  | { readonly ask: 'called'; readonly folder: string }
  /** Takes note of the first calls of these functions from now on. */
  | { readonly ask: 'mark'; readonly folder: string; readonly places: readonly Place[] }
  /** Functions called since `mark` or the last `order`, in the order of their first call. */
  | { readonly ask: 'order' }

/** What the probe answers, by question. */
export interface ProbeAnswer {
  readonly places?: readonly Place[]
  /** Indexes of the marked functions. */
  readonly order?: readonly number[]
}

/** One function on the path. */
export interface PathFunction {
  readonly file: string
  /** Line of the file, from 1. */
  readonly line: number
  readonly name: string
}

/** What ran for one notification. */
export interface Path {
  /** In the order of the first call. */
  readonly functions: readonly PathFunction[]
  /** Ran in some rounds only. */
  readonly byChance: readonly PathFunction[]
}

/** How to trace. */
export interface TraceOptions {
  /** Root of the checkout whose server is traced. Default: this one. */
  readonly folder?: string
  /** `embedded:` or `embedded:memory`. */
  readonly store?: string
  readonly rounds?: number
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROBE = new URL('probe.ts', import.meta.url).href
// Code of the baseline compiler passes by the marks of closures that are made anew.
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--no-sparkplug']
/** Notifications that are traced where the caller does not say. */
export const DEFAULT_ROUNDS = 10
/** Notifications before the first round: connections stand, caches are filled, what happens once has happened. */
const WARM_UP = 20
const START_LIMIT_MS = 30_000

/** Starts a server, and traces one notification after the other. */
export async function tracePath(options: TraceOptions = {}): Promise<Path> {
  const { folder = ROOT, store = 'embedded:', rounds = DEFAULT_ROUNDS } = options
  const root = folder.endsWith('/') ? folder : `${folder}/`
  const data = await mkdtemp(join(tmpdir(), 'aviso-path-'))
  const argv = [...NODE_FLAGS, '--import', PROBE, join(root, 'scripts/serve.ts')]
  argv.push('--port', '0', '--store', store, '--data', data)
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let complaints = ''
  child.stderr?.on('data', (text: Buffer) => (complaints += text.toString()))
  const exited = once(child, 'exit')
  try {
    const url = await addressOf(child, () => complaints)
    const response = await fetch(`${url}/api/v1/watch?event=flight`)
    const events = readEvents(response)
    try {
      return await traceRounds({ child, url, events, root }, rounds)
    } finally {
      await events.close()
    }
  } finally {
    child.kill()
    await exited
    await rm(data, { recursive: true, force: true })
  }
}

/** A server under trace, and its one listener. */
interface Traced {
  readonly child: ChildProcess
  readonly url: string
  readonly events: ItemReader<{ readonly data: string }>
  readonly root: string
}

async function traceRounds(traced: Traced, rounds: number): Promise<Path> {
  const { child, root: folder } = traced
  let number = 0
  while (number < WARM_UP) await deliver(traced, number++)
  await ask(child, { ask: 'called', folder })
  const counts = new Map<string, { readonly place: Place; rounds: number }>()
  for (let round = 0; round < rounds; round++) {
    await deliver(traced, number++)
    const { places = [] } = await ask(child, { ask: 'called', folder })
    for (const place of places) {
      const id = `${place.file}:${place.offset}`
      const counted = counts.get(id) ?? { place, rounds: 0 }
      counted.rounds++
      counts.set(id, counted)
    }
  }
  const all = [...counts.values()]
  const places = all.filter((counted) => counted.rounds === rounds).map(({ place }) => place)
  const byChance = all.filter((counted) => counted.rounds < rounds).map(({ place }) => place)
  await ask(child, { ask: 'mark', folder, places })
  // The marks make the first one slow, long enough for a timer or two.
  await deliver(traced, number++)
  await ask(child, { ask: 'order' })
  await deliver(traced, number++)
  const { order = [] } = await ask(child, { ask: 'order' })
  const inOrder = new Set([...order.flatMap((index) => places[index] ?? []), ...places])
  return {
    functions: await withLines([...inOrder], folder),
    byChance: await withLines(byChance, folder),
  }
}

/** Publishes one notification, and waits until it was answered and the listener has it. */
async function deliver({ url, events }: Traced, number: number): Promise<void> {
  const payload = `path ${number}`
  const answered = fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      specversion: '1.0',
      id: `path-${number}`,
      source: '/path',
      type: 'aviso',
      data: {
        event: 'flight',
        request: { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' },
        payload,
      },
    }),
  }).then(async (response) => {
    const text = await response.text()
    if (!response.ok) throw new Error(`The notification was answered ${response.status}: ${text}`)
  })
  await Promise.all([answered, events.next(({ data }) => data.includes(`"${payload}"`))])
}

async function ask(child: ChildProcess, question: ProbeQuestion): Promise<ProbeAnswer> {
  const answered = once(child, 'message')
  child.send(question)
  const [answer] = (await answered) as [ProbeAnswer]
  return answer
}

/** Where the server listens. It goes on printing, so its output is read to the end. */
function addressOf(child: ChildProcess, complaints: () => string): Promise<string> {
  return new Promise((found, failed) => {
    const fail = (what: string): void => failed(new Error(`${what}\n${complaints()}`))
    const limit = setTimeout(() => fail('The server did not start in time'), START_LIMIT_MS)
    child.once('exit', (code) => {
      clearTimeout(limit)
      fail(`The server ended with ${code}`)
    })
    if (child.stdout === null) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /^Listening on (http:\S+)$/.exec(line)?.[1]
      if (url === undefined) return
      clearTimeout(limit)
      found(url)
    })
  })
}

async function withLines(places: readonly Place[], folder: string): Promise<PathFunction[]> {
  const texts = new Map<string, string>()
  for (const file of new Set(places.map((place) => place.file)))
    texts.set(file, await readFile(folder + file, 'utf8'))
  return places.map(({ file, name, offset }) => {
    const line = (texts.get(file) ?? '').slice(0, offset).split('\n').length
    return { file, line, name }
  })
}
