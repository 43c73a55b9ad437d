/**
 * The benchmark, `npm run bench`: measures the figures of the design, each beside its bare limit in the same run. A bare limit is what the
 * same machine reaches without our code. Prints a table and JSON.
 *
 * Servers run on one processor and the load generator on another, except in rows about the whole system on two processors. Everything is on
 * loopback. Every delivery is checked: a lost, repeated or misplaced delivery fails the run.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import process from 'node:process'
import { Command, InvalidArgumentError, Option } from 'commander'
import { etcdVersion, findEtcd } from './etcd/binary.ts'
import { backupGroup } from './bench/groups/backup.ts'
import { cleanGroup } from './bench/groups/clean.ts'
import { dayGroup } from './bench/groups/day.ts'
import { edgeGroup } from './bench/groups/edge.ts'
import { embeddedGroup } from './bench/groups/embedded.ts'
import { eventTypesGroup } from './bench/groups/event_types.ts'
import { fanOutGroup } from './bench/groups/fan_out.ts'
import { filtersGroup } from './bench/groups/filters.ts'
import { growthGroup } from './bench/groups/growth.ts'
import { identityGroup } from './bench/groups/identity.ts'
import { idleGroup } from './bench/groups/idle.ts'
import { ingestGroup } from './bench/groups/ingest.ts'
import { lookGroup } from './bench/groups/look.ts'
import { npmStartGroup } from './bench/groups/npm_start.ts'
import { peersGroup } from './bench/groups/peers.ts'
import { besidePollsGroup, pollsGroup } from './bench/groups/polls.ts'
import { reconnectGroup } from './bench/groups/reconnect.ts'
import { replayGroup } from './bench/groups/replay.ts'
import { runsGroup } from './bench/groups/runs.ts'
import { secondGroup } from './bench/groups/second.ts'
import { soakGroup } from './bench/groups/soak.ts'
import { stalledGroup } from './bench/groups/stalled.ts'
import { startGroup } from './bench/groups/start.ts'
import { telemetryGroup } from './bench/groups/telemetry.ts'
import { twoIngestsGroup } from './bench/groups/two_ingests.ts'
import { workersGroup } from './bench/groups/workers.ts'
import type { Bench, RowGroup } from './bench/plan.ts'
import { BENCH_RUNTIMES, CAN_PIN, fileLimit, HAS_PROC, place, type BenchRuntime } from './bench/processes.ts'
import { toJsonRows, toTable, verdictOf, type Row } from './bench/row.ts'
import { isMain } from './is_main.ts'
import { parseCommand, wholeNumber } from './parse_command.ts'

const GROUPS: readonly RowGroup[] = [
  ingestGroup,
  twoIngestsGroup,
  workersGroup,
  eventTypesGroup,
  growthGroup,
  dayGroup,
  fanOutGroup,
  idleGroup,
  stalledGroup,
  replayGroup,
  reconnectGroup,
  edgeGroup,
  filtersGroup,
  secondGroup,
  embeddedGroup,
  npmStartGroup,
  identityGroup,
  telemetryGroup,
  cleanGroup,
  lookGroup,
  runsGroup,
  pollsGroup,
  besidePollsGroup,
  backupGroup,
  startGroup,
  soakGroup,
  peersGroup,
]

const DEFAULT_RUNS = 3
/** Most runs. They take a day, so a larger number is a mistake. */
const MAX_RUNS = 99
/** One socket per listener of the largest row, and the other files of a process. */
const FILES_NEEDED = 10_500

interface BenchArguments {
  readonly names: readonly string[]
  readonly runs: number
  readonly quick: boolean
  readonly runtimes: readonly BenchRuntime[]
  readonly json?: string
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseArguments(argv)
  if (typeof options === 'number') return options
  if (!checkMachine()) return 2
  const bench: Bench = {
    runs: options.runs,
    isQuick: options.quick,
    runtimes: options.runtimes,
    say: (line) => console.error(`  ${line}`),
  }
  const rows: Row[] = []
  const failures: string[] = []
  const startedAt = performance.now()
  for (const group of GROUPS) {
    const isWanted =
      options.names.length === 0 ? group.isOnRequest !== true : options.names.includes(group.name)
    if (!isWanted) continue
    place(group.placement ?? 'apart')
    try {
      rows.push(...(await group.measure(bench)))
    } catch (error) {
      failures.push(`${group.name}: ${error instanceof Error ? error.message : String(error)}`)
      console.error(error)
    }
  }
  console.log(`\n${toTable(rows)}`)
  console.log(
    `${rows.length} rows in ${Math.round((performance.now() - startedAt) / 1_000)} s, median of ${bench.runs} run(s)`,
  )
  for (const failure of failures) console.log(`FAILED ${failure}`)
  if (options.json !== undefined) await writeJson(options.json, bench, { rows, failures })
  const missed = rows.filter((row) => verdictOf(row) === 'MISSED')
  if (missed.length > 0)
    console.log(`Below the floor: ${missed.map(({ name, runtime }) => `${name} (${runtime})`).join(', ')}`)
  return failures.length > 0 ? 1 : 0
}

function parseArguments(argv: readonly string[]): BenchArguments | number {
  const names = GROUPS.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`)
  const program = new Command('npm run bench --')
    .description('Measures the system beside the bare store and the bare runtime.')
    .argument('[names...]', `groups of rows; without names: all but soak and peers`)
    .option('--quick', 'shorter loads, one run: rough figures in a few minutes', false)
    .addOption(
      new Option(
        '--runs <count>',
        `times that each figure is taken (default: ${DEFAULT_RUNS}, quick: 1)`,
      ).argParser(wholeNumber(1, MAX_RUNS)),
    )
    .addOption(
      new Option('--runtimes <names>', 'runtimes for the rows about listeners')
        .argParser(parseRuntimes)
        .default(BENCH_RUNTIMES, BENCH_RUNTIMES.join()),
    )
    .option('--json <file>', 'write rows, every run and the machine as JSON')
    .addHelpText('after', `\nGroups:\n${names.join('\n')}`)
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const unknown = program.args.filter((name) => !GROUPS.some((group) => group.name === name))
  if (unknown.length > 0) {
    console.error(
      `error: no group is called ${unknown.join(', ')}; known are ${GROUPS.map(({ name }) => name).join(', ')}`,
    )
    return 2
  }
  const given = program.opts<Omit<BenchArguments, 'names' | 'runs'> & { readonly runs?: number }>()
  return { ...given, names: program.args, runs: given.runs ?? (given.quick ? 1 : DEFAULT_RUNS) }
}

function parseRuntimes(text: string): readonly BenchRuntime[] {
  const wanted = text.split(',')
  const known = BENCH_RUNTIMES.filter((name) => wanted.includes(name))
  if (known.length === wanted.length) return known
  throw new InvalidArgumentError(`Use names from ${BENCH_RUNTIMES.join(', ')}.`)
}

/** Checks that this machine can measure, and warns when figures will be less exact. */
function checkMachine(): boolean {
  if (!HAS_PROC) {
    console.error('error: the benchmark reads processor time and memory from /proc, so it needs Linux')
    return false
  }
  const files = fileLimit()
  if (files < FILES_NEEDED) {
    console.error(
      `error: 10,000 listeners need ${FILES_NEEDED} open files, and ${files} are allowed here: run "ulimit -n 20000" first`,
    )
    return false
  }
  if (!CAN_PIN)
    console.error(
      'warning: processes cannot be pinned to two processors, so servers and load generator disturb each other',
    )
  return true
}

async function writeJson(
  path: string,
  { runs, isQuick }: Bench,
  { rows, failures }: { readonly rows: readonly Row[]; readonly failures: readonly string[] },
): Promise<void> {
  const machine = {
    processors: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    isPinned: CAN_PIN,
  }
  const versions = {
    node: process.versions.node,
    etcd: await etcdVersion(await findEtcd()).catch(() => 'none'),
  }
  const document = {
    at: new Date().toISOString(),
    machine,
    versions,
    runs,
    isQuick,
    failures,
    rows: toJsonRows(rows),
  }
  await writeFile(path, `${JSON.stringify(document, undefined, 2)}\n`)
}

if (isMain(import.meta)) process.exit(await main(process.argv.slice(2)))
