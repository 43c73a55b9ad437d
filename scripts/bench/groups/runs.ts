/**
 * Measures what following runs costs: the rate of publishing, processor time and memory, and how soon runs are known after a restart.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import configuration from '../../../wrangler-like.config.json' with { type: 'json' }
import { runPost } from '../generator.ts'
import { EVENT } from '../notifications.ts'
import type { Bench, RowGroup } from '../plan.ts'
import { startProcess, type BenchProcess } from '../processes.ts'
import {
  costOf,
  OTHER_EVENT,
  productOfToday,
  publishProducts,
  SHAPES,
  writeTwoEvents,
  type Cost,
  type Load,
  type Shape,
} from '../products_of_runs.ts'
import { atLeast, atMost, ratio, showNumber, type Row } from '../row.ts'
import { mean, median, standardError } from '../statistics.ts'
import { PUBLISH_PATH, startAviso, untilReady, withProcess } from '../systems.ts'

/** Loads of each kind and process in a run, in turns: of the shapes that the aims are for, and of the others. */
const ROUNDS = { full: { aimed: 24, other: 8 }, quick: { aimed: 12, other: 4 } } as const
const LOAD_MS = 1_000
/** Until then a process gets faster: 7,100, 8,200, 12,000 and 12,800 singles a second were measured in four loads of 2.5 s. */
const WARM_UP_MS = 10_000
/** Where the process has published much already. */
const WARM_AGAIN_MS = 3_000
/**
 * V8 chooses the size of the young generation in each process anew, between 16 and 32 MiB. That alone makes a difference of 4 %, so all
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

/**
 * Loads in turns. `followed` and `other` are of one process, which follows the runs of one of two event types that are alike. `without` are of
 * a second process, which follows none.
 */
interface Turns {
  readonly followed: Load[]
  readonly other: Load[]
  readonly without: Load[]
}

/** What one pair of processes gave. */
interface PairCosts {
  /** In the order of {@link SHAPES}. */
  readonly turns: readonly Turns[]
  readonly mebibytes: { readonly on: number; readonly off: number }
}

interface Pair {
  readonly on: BenchProcess
  readonly off: BenchProcess
  /** The event type whose runs are followed, and the other one. */
  readonly events: { readonly followed: string; readonly other: string }
}

async function measureCosts(bench: Bench): Promise<readonly Row[]> {
  const pairs: PairCosts[] = []
  for (let run = 0; run < bench.runs; run++) {
    bench.say(`runs: singles and batches, pair ${run + 1} of ${bench.runs}`)
    pairs.push(await withPair(run, (pair) => measurePair(bench, pair)))
  }
  const rows = SHAPES.flatMap((shape, index) =>
    rowsOf(
      shape,
      pairs.flatMap(({ turns }) => turns[index] ?? []),
    ),
  )
  return [...rows, memoryRow(pairs)]
}

/**
 * Runs `use` with a pair that is new for each run: two processes of the same program differ by up to a tenth for as long as they live, by
 * where their memory lies and by what V8 made of their code. The other one starts first every second time, and follows the other event type.
 */
function withPair<Result>(run: number, use: (pair: Pair) => Promise<Result>): Promise<Result> {
  const isEven = run % 2 === 0
  const events = isEven ? { followed: EVENT, other: OTHER_EVENT } : { followed: OTHER_EVENT, other: EVENT }
  const start = (followed?: string): Promise<BenchProcess> =>
    startAviso({ config: (folder) => writeTwoEvents(folder, followed), nodeOptions: SAME_HEAPS })
  return isEven
    ? withProcess(start(events.followed), (on) => withProcess(start(), (off) => use({ on, off, events })))
    : withProcess(start(), (off) => withProcess(start(events.followed), (on) => use({ on, off, events })))
}

async function measurePair(bench: Bench, pair: Pair): Promise<PairCosts> {
  const turns: Turns[] = []
  for (const shape of SHAPES) turns.push(await measureShape(bench, pair, shape))
  const { on, off } = pair
  for (const process of [on, off]) await process.collectGarbage()
  return { turns, mebibytes: { on: on.residentMebibytes(), off: off.residentMebibytes() } }
}

/**
 * Both processes have a load of each event type in a round, in the same places: one that comes after a rest is cheaper than one that comes
 * after another, because V8 has collected garbage meanwhile.
 */
async function measureShape(bench: Bench, { on, off, events }: Pair, shape: Shape): Promise<Turns> {
  const publish = (
    process: BenchProcess,
    event: string,
    serial: number,
    durationMs = LOAD_MS,
  ): Promise<Load> => publishProducts(process, { shape, event, durationMs, serial })
  const warmUpMs = shape.isReal ? WARM_UP_MS : WARM_AGAIN_MS
  for (const process of [on, off]) {
    await publish(process, events.other, 0, WARM_AGAIN_MS)
    await publish(process, events.followed, 0, warmUpMs)
  }
  const turns: Turns = { followed: [], other: [], without: [] }
  const rounds = ROUNDS[bench.isQuick ? 'quick' : 'full'][shape.isReal ? 'aimed' : 'other']
  for (let serial = 1; serial <= rounds; serial++) {
    const kinds = serial % 2 === 0 ? (['followed', 'other'] as const) : (['other', 'followed'] as const)
    for (const kind of kinds) turns[kind].push(await publish(on, events[kind], serial))
    for (const kind of kinds) turns.without.push(await publish(off, events[kind], serial))
  }
  return turns
}

function rowsOf({ name, isReal }: Shape, turns: readonly Turns[]): readonly Row[] {
  const costsOf = (kind: keyof Turns): readonly Cost[] => turns.map((each) => costOf(each[kind]))
  const [followed, other, without] = [costsOf('followed'), costsOf('other'), costsOf('without')]
  const ratesOf = (costs: readonly Cost[]): number[] => costs.map(({ perSecond }) => perSecond)
  const more = moreOf(followed, without)
  // Within each pair, because pairs differ by more than what runs cost.
  const shares = followed.map(({ perSecond }, pair) => perSecond / (without[pair]?.perSecond ?? Number.NaN))
  const turnsOfAll = turns.flatMap(moreInTurns)
  return [
    {
      name: `${name}, runs followed`,
      runtime: 'node',
      unit: '/s',
      runs: ratesOf(followed),
      limit: { name: 'without runs', runs: ratesOf(without) },
      ...(isReal && { goal: atLeast(0.97, mean(shares), ' of without') }),
      notes: [
        `mean of ${shares.length} pairs of processes: ${showMean(shares)} of without`,
        `${showNumber(ratio(ratesOf(followed), ratesOf(other)))} of what the same process takes where runs are not followed`,
      ],
    },
    {
      name: `processor time of following runs, a notification of ${name}`,
      runtime: 'node',
      unit: 'µs',
      runs: more,
      ...(isReal && { goal: atMost(5, mean(more), ' µs') }),
      notes: [
        `mean of ${turns.length} pairs of processes: ${showMean(more)} µs`,
        `in one process, mean of ${turnsOfAll.length} turns: ${showMean(turnsOfAll)} µs`,
        `${showNumber(median(without.map(({ micros }) => micros)))} µs without runs`,
      ],
    },
  ]
}

function moreOf(ones: readonly Cost[], others: readonly Cost[]): number[] {
  return ones.map(({ micros }, index) => micros - (others[index]?.micros ?? Number.NaN))
}

function moreInTurns({ followed, other }: Turns): readonly number[] {
  const costsOf = (loads: readonly Load[]): readonly Cost[] => loads.map((load) => costOf([load]))
  return moreOf(costsOf(followed), costsOf(other))
}

function showMean(values: readonly number[]): string {
  return `${showNumber(mean(values))} (standard error ${showNumber(standardError(values))})`
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
        body: productOfToday({ stream: 'oper', group: 0 }),
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
