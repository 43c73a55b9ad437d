/**
 * Measures what following runs costs: the rate of publishing, processor time and memory beside the same system without runs, and how soon
 * runs are known after a restart.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import configuration from '../../../wrangler-like.config.json' with { type: 'json' }
import { runPost } from '../generator.ts'
import { dailyNotification } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { startProcess, type BenchProcess } from '../processes.ts'
import { atLeast, atMost, ratio, showNumber, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, untilReady, withProcess } from '../systems.ts'

const CONNECTIONS = 64
/**
 * Loads of each system in a run, in turns. They are counted together: a machine gets slower and faster by more than what runs cost, from one
 * second to the next.
 */
const ROUNDS = { full: 10, quick: 6 } as const
const LOAD_MS = 1_000
/** Until then a process gets faster: 7,100, 8,200, 12,000 and 12,800 singles a second were measured in four loads of 2.5 s. */
const WARM_UP_MS = 10_000
/** Products are counted, and their runs looked at, some 70 ms later: see the limits of the service. */
const SETTLE_MS = 200
/**
 * V8 chooses the size of the young generation in each process anew, between 16 and 32 MiB. That alone makes a difference of 4 %, so both
 * have the least.
 */
const SAME_HEAPS = ['--min-semi-space-size=8', '--max-semi-space-size=8']
/** A day of notifications before the restart. */
const STORED = { full: 300_000, quick: 20_000 } as const
const FILL_LIMIT_MS = 900_000
const KNOWN_LIMIT_MS = 120_000
const RETRY_MS = 5
const RUNS_PATH = '/api/v1/runs?limit=1'

const WITH_RUNS = { ...configuration, vars: { ...configuration.vars, runs: { mars: true } } }

/** The rows about runs. */
export const runsGroup: RowGroup = {
  name: 'runs',
  summary:
    'publishing with runs followed and without; a restart after 300,000 singles (20,000 with --quick), until runs are known',
  measure: async (bench) => [...(await measureCosts(bench)), ...(await measureRestarts(bench))],
}

/** What some loads gave. */
interface Cost {
  readonly perSecond: number
  /** Of processor time, per notification. */
  readonly micros: number
}

/** What one load took. */
interface Load {
  readonly notifications: number
  readonly seconds: number
  /** Seconds of processor time. */
  readonly processor: number
}

/** Of the same system with runs and without. */
interface Both<Value> {
  readonly on: Value
  readonly off: Value
}

/** What one pair of processes gave. */
interface PairCosts {
  /** In the order of {@link SHAPES}. */
  readonly costs: readonly Both<Cost>[]
  readonly mebibytes: Both<number>
}

/** What is published: products of so many runs in turns, some in a request. */
interface Shape {
  readonly name: string
  /** Keys of another stream are other keys. */
  readonly stream: string
  readonly openRuns: number
  readonly isBatch: boolean
  /** Whether the aims are for it. */
  readonly isReal: boolean
}

/**
 * Streams and members of a centre are a few dozen runs at a time. With a thousand, none of what a product needs is still in the processor's
 * cache when the next one of its run comes: the worst that there is.
 */
const SHAPES: readonly Shape[] = [50, 1_000].flatMap((openRuns, place) =>
  [false, true].map((isBatch) => ({
    stream: ['oper', 'wave', 'enfo', 'waef'][2 * place + Number(isBatch)] ?? '',
    name: `${isBatch ? 'batches of 80 to 120' : `singles, ${CONNECTIONS} connections`}, ${openRuns} runs at a time`,
    openRuns,
    isBatch,
    isReal: openRuns === 50,
  })),
)

async function measureCosts(bench: Bench): Promise<readonly Row[]> {
  const pairs: PairCosts[] = []
  for (let run = 0; run < bench.runs; run++) {
    bench.say(`runs: singles and batches, pair ${run + 1} of ${bench.runs}`)
    pairs.push(await withPair(run, (pair) => measurePair(bench, pair)))
  }
  const rows = SHAPES.flatMap((shape, index) =>
    rowsOf(
      shape,
      pairs.flatMap(({ costs }) => costs[index] ?? []),
    ),
  )
  return [...rows, memoryRow(pairs)]
}

/**
 * Runs `use` with a pair that is new for each run: two processes of the same program differ by up to a tenth for as long as they live, by
 * where their memory lies and by what V8 made of their code. The other one starts first every second time.
 */
function withPair<Result>(run: number, use: (pair: Both<BenchProcess>) => Promise<Result>): Promise<Result> {
  const startOn = (): Promise<BenchProcess> => startAviso({ config: WITH_RUNS, nodeOptions: SAME_HEAPS })
  const startOff = (): Promise<BenchProcess> => startAviso({ nodeOptions: SAME_HEAPS })
  return run % 2 === 0
    ? withProcess(startOn(), (on) => withProcess(startOff(), (off) => use({ on, off })))
    : withProcess(startOff(), (off) => withProcess(startOn(), (on) => use({ on, off })))
}

async function measurePair(bench: Bench, pair: Both<BenchProcess>): Promise<PairCosts> {
  const costs: Both<Cost>[] = []
  for (const shape of SHAPES) costs.push(await measureShape(bench, pair, shape))
  const { on, off } = pair
  for (const process of [on, off]) await process.collectGarbage()
  return { costs, mebibytes: { on: on.residentMebibytes(), off: off.residentMebibytes() } }
}

async function measureShape(
  bench: Bench,
  { on, off }: Both<BenchProcess>,
  shape: Shape,
): Promise<Both<Cost>> {
  for (const process of [on, off]) await load(process, { shape, durationMs: WARM_UP_MS, serial: 0 })
  const measure = (process: BenchProcess) => (round: number) =>
    load(process, { shape, durationMs: LOAD_MS, serial: round + 1 })
  const rounds = await interleave(bench.isQuick ? ROUNDS.quick : ROUNDS.full, {
    off: measure(off),
    on: measure(on),
  })
  return { on: together(rounds.on), off: together(rounds.off) }
}

function rowsOf({ name, isReal }: Shape, costs: readonly Both<Cost>[]): readonly Row[] {
  const rates = costs.map(({ on }) => on.perSecond)
  const offRates = costs.map(({ off }) => off.perSecond)
  const more = costs.map(({ on, off }) => on.micros - off.micros)
  return [
    {
      name: `${name}, runs followed`,
      runtime: 'node',
      unit: '/s',
      runs: rates,
      limit: { name: 'without runs', runs: offRates },
      ...(isReal && { goal: atLeast(0.97, ratio(rates, offRates), ' of without') }),
    },
    {
      name: `processor time of following runs, a notification of ${name}`,
      runtime: 'node',
      unit: 'µs',
      runs: more,
      ...(isReal && { goal: atMost(5, median(more), ' µs') }),
      notes: [`${showNumber(median(costs.map(({ off }) => off.micros)))} µs without runs`],
    },
  ]
}

function together(loads: readonly Load[]): Cost {
  const sum = (value: (load: Load) => number): number => loads.reduce((all, load) => all + value(load), 0)
  const notifications = sum((load) => load.notifications)
  return {
    perSecond: notifications / sum(({ seconds }) => seconds),
    micros: (sum(({ processor }) => processor) * 1e6) / notifications,
  }
}

/**
 * Loads whose products are of the same runs, with other steps in each: as a day goes on, and without so many runs that the oldest are let go.
 */
const LOADS_OF_RUNS = 3
/** More than a load publishes. */
const NUMBERS_OF_A_LOAD = 33_000

/**
 * Products of runs of today, one run after the other.
 *
 * @param group A digit. Runs of another one are other runs.
 */
function productOfToday(stream: string, group: number): string {
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  return dailyNotification()
    .replace(/"date":"\d+"/, `"date":"${today}"`)
    .replace('"stream":"oper"', `"stream":"${stream}"`)
    .replace('"expver":"0@@@"', `"expver":"${group}^^^"`)
}

/**
 * Notifications in a request of a round. With one number in all rounds, each batch takes as much memory as the one before, and V8 collects
 * garbage at the same point of a batch each time: with many live objects or with few, which made 4 % between two processes.
 */
const BATCHES = [80, 88, 96, 104, 112, 120] as const

interface LoadRequest {
  readonly shape: Shape
  readonly durationMs: number
  /** Loads before this one. No two of a shape have a key in common: a centre's keys are new, and one that is not costs the store a page. */
  readonly serial: number
}

async function load(
  process: BenchProcess,
  { shape: { openRuns, isBatch, stream }, durationMs, serial }: LoadRequest,
): Promise<Load> {
  const one = productOfToday(stream, Math.ceil(serial / LOADS_OF_RUNS))
  const size = isBatch ? (BATCHES[serial % BATCHES.length] ?? 1) : 1
  const body = isBatch ? `[${Array.from({ length: size }, () => one).join(',')}]` : one
  const before = process.cpuSeconds()
  const connections = isBatch ? 1 : CONNECTIONS
  const { count, seconds } = await runPost(process.url, durationMs, {
    path: PUBLISH_PATH,
    body,
    connections,
    perRequest: size,
    modulo: openRuns,
    revision: (serial % LOADS_OF_RUNS) * NUMBERS_OF_A_LOAD,
  })
  await new Promise((done) => setTimeout(done, SETTLE_MS))
  return { notifications: count * size, seconds, processor: process.cpuSeconds() - before }
}

function memoryRow(pairs: readonly PairCosts[]): Row {
  const on = pairs.map(({ mebibytes }) => mebibytes.on)
  const off = pairs.map(({ mebibytes }) => mebibytes.off)
  const more = on.map((value, run) => value - (off[run] ?? Number.NaN))
  return {
    name: 'memory with runs followed, after these loads',
    runtime: 'node',
    unit: 'MiB',
    runs: on,
    limit: { name: 'without runs', runs: off },
    goal: atMost(100, median(more), ' MiB more'),
  }
}

async function measureRestarts(bench: Bench): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  try {
    const file = join(folder, 'config.json')
    await writeFile(file, JSON.stringify(WITH_RUNS))
    const start = (): Promise<BenchProcess> =>
      startProcess('node', ['scripts/serve.ts', '--port', '0', '--config', file, '--data', folder], true)
    const stored = bench.isQuick ? STORED.quick : STORED.full
    bench.say(`runs: storing ${stored.toLocaleString('en')} one after the other`)
    await withProcess(start(), async (aviso) => {
      await untilReady(aviso.url)
      // One connection: each has a commit of its own, which is the dearest to read again.
      const post = {
        path: PUBLISH_PATH,
        body: productOfToday('oper', 0),
        connections: 1,
        requests: stored,
        modulo: 1_000,
      }
      await runPost(aviso.url, FILL_LIMIT_MS, post)
      // Its process ends without a farewell, so the next one reads what was not stored of runs.
      process.kill(aviso.pid, 'SIGKILL')
    })
    const rows: Row[] = []
    for (const how of ['a process was killed', 'a process was stopped'] as const)
      rows.push(await measureRestart(bench, { how, stored, start }))
    return rows
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Restart {
  readonly how: 'a process was killed' | 'a process was stopped'
  readonly stored: number
  readonly start: () => Promise<BenchProcess>
}

async function measureRestart(bench: Bench, { how, stored, start }: Restart): Promise<Row> {
  bench.say(`runs: restart after ${how}`)
  if (how === 'a process was stopped') await withProcess(start(), untilKnown)
  const known: number[] = []
  const ready: number[] = []
  for (let run = 0; run < bench.runs; run++) {
    const startedAt = performance.now()
    await withProcess(start(), async (aviso) => {
      await untilReady(aviso.url)
      ready.push((performance.now() - startedAt) / 1_000)
      await untilKnown(aviso)
      known.push((performance.now() - startedAt) / 1_000)
      // Before it stores anything of runs, so that each start has as much to read.
      if (how === 'a process was killed') process.kill(aviso.pid, 'SIGKILL')
    })
  }
  return {
    name: `start until runs are known, ${stored.toLocaleString('en')} singles stored, after ${how}`,
    runtime: 'node',
    unit: 's',
    runs: known,
    limit: { name: 'ready', runs: ready },
    goal: atMost(2, median(known), ' s'),
  }
}

async function untilKnown({ url }: BenchProcess): Promise<void> {
  const limit = performance.now() + KNOWN_LIMIT_MS
  for (;;) {
    const response = await fetch(url + RUNS_PATH)
    const text = await response.text()
    if (response.status === 200) {
      if (!text.includes('"id"')) throw new Error(`No runs are known: ${text}`)
      return
    }
    // 503 until then.
    if (response.status !== 503 || performance.now() > limit)
      throw new Error(`${RUNS_PATH} answered ${response.status}: ${text.slice(0, 300)}`)
    await new Promise((next) => setTimeout(next, RETRY_MS))
  }
}
