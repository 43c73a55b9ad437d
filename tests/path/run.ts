/**
 * `npm run path`: which of our files and functions run for one POST until the notification is delivered.
 *
 * @module
 */

import { dirname } from 'node:path'
import process from 'node:process'
import { Command } from 'commander'
import { parseCommand, wholeNumber } from '../../scripts/parse_command.ts'
import { DEFAULT_ROUNDS, tracePath, type Path, type PathFunction, type TraceOptions } from './trace.ts'

const MAX_ROUNDS = 1_000

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('npm run path --')
    .description(
      'Prints which of our files and functions run for one POST until the notification is delivered.',
    )
    .option('--list', 'every function, in the order of its first call')
    .option('--json', 'everything as JSON')
    .option('--store <url>', 'embedded: | embedded:memory', 'embedded:')
    .option('--rounds <n>', 'notifications that are traced', wholeNumber(1, MAX_ROUNDS), DEFAULT_ROUNDS)
    .option('--folder <path>', 'another checkout of this project, to compare with (default: this one)')
    .exitOverride()
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const { list, json, ...options } = program.opts<TraceOptions & { list?: true; json?: true }>()
  const path = await tracePath(options)
  if (json === true) console.log(JSON.stringify(path, null, 2))
  else console.log([...summary(path), ...(list === true ? ['', ...listing(path)] : [])].join('\n'))
  return 0
}

/** Files and functions by room, in the order in which the rooms are entered. */
function summary({ functions, byChance }: Path): string[] {
  const rooms = Map.groupBy(functions, ({ file }) => dirname(file))
  const rows = [...rooms].map(([room, inside]) => `${cells(inside)}  ${room}`)
  return [
    '  files  functions  room',
    ...rows,
    `${cells(functions)}  together`,
    `${cells(byChance)}  besides, in some rounds only (timers; not counted)`,
  ]
}

function cells(functions: readonly PathFunction[]): string {
  const files = new Set(functions.map(({ file }) => file)).size
  return `${String(files).padStart(7)}  ${String(functions.length).padStart(9)}`
}

function listing({ functions, byChance }: Path): string[] {
  return [...functions.map(describe), ...byChance.map((each) => `${describe(each)} (in some rounds only)`)]
}

function describe({ file, line, name }: PathFunction): string {
  return `${file}:${line} ${name === '' ? '(no name)' : name}`
}

process.exitCode = await main(process.argv.slice(2))
