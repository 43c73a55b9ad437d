/**
 * The steps of the gate, what each runs, and which may run at the same time.
 *
 * @module
 */

import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode22 } from '../../tests/support/node22.ts'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')
const SOURCES = ['services', 'shared', 'scripts', 'tests']
/** Tests that take longer than anyone waits for a gate: `npm run test:long`. */
export const LONG_TESTS = 'tests/long/'
/** Suites that need no particular runtime: they run on every one that has `node:test`. */
const PORTABLE = [
  'tests/unit/shared/**/*.test.ts',
  'tests/unit/services/**/*.test.ts',
  'tests/contract/{hub,store}.{memory,embedded}.test.ts',
  'tests/service/**/*.test.ts',
]
/** Suites of the server that Node and Deno share. */
const NODE_SERVER = ['tests/runtime/node_{answer,linger,request}.test.ts']
/**
 * Not on Bun: these tests cut connections, and Bun's `fetch` then drops what it has received but not yet handed over
 * (7 of 50 such answers with Bun 1.4.5, none with Node or Deno). The client runs on Node.
 */
const NOT_ON_BUN = 'tests/unit/shared/client/'
/** One test that hangs must not hold the gate for ever. */
const TEST_TIMEOUT_MS = 300_000
/** Files at a time where Node is alone: half of them wait for a child process or a deadline, so more than Node's one of two processors. */
const CONCURRENCY = 2

/** One command of the gate. */
export interface Step {
  /** Word that selects it: `npm test -- lint`. */
  readonly name: string
  /** What its results are called. */
  readonly title: string
  /** The command line. @throws {Error} Where a program cannot be had, or a pattern matches no file. */
  command(): Promise<readonly string[]>
}

/** Steps that run at the same time. */
export type Stage = readonly Step[]

/** What needs no test run: `npm run check`. */
export const CHECKS: Stage = [
  program('format', 'format', 'oxfmt', '--check', ...SOURCES),
  program('lint', 'lint', 'oxlint', '--type-aware', '--deny-warnings', ...SOURCES),
  { name: 'imports', title: 'imports', command: async () => [process.execPath, 'scripts/check_imports.ts'] },
  program('types', 'types: services and shared see web standards only', 'tsc', '-p', 'tsconfig.json'),
  program('types', 'types: everything', 'tsc', '-p', 'tests/tsconfig.json'),
]

/**
 * The whole gate, stage after stage. Node 24 has a stage of its own, because its fault tests measure times. The other
 * runtimes take one file at a time and mostly wait, so three of them leave two processors a third of their time.
 */
export const GATE: readonly Stage[] = [
  CHECKS,
  [nodeStep('node24', 'tests on Node 24', async () => allTests())],
  [
    nodeStep('node22', 'tests on Node 22', () => matches([...PORTABLE, ...NODE_SERVER]), node22),
    {
      name: 'deno',
      title: 'tests on Deno',
      command: async () => [
        join(BIN, 'deno'),
        'test',
        '-A',
        '--no-check',
        '--quiet',
        ...(await matches([...PORTABLE, ...NODE_SERVER])),
      ],
    },
    {
      name: 'bun',
      title: 'tests on Bun',
      command: async () => [
        join(BIN, 'bun'),
        'test',
        '--timeout',
        String(TEST_TIMEOUT_MS),
        // Bun takes a bare name as a filter; a leading "./" makes it a path.
        ...(await matches(PORTABLE))
          .filter((path) => !path.startsWith(NOT_ON_BUN))
          .map((path) => `./${path}`),
      ],
    },
  ],
]

/** Every stage that a word can select from, in the order in which they run. */
export const STAGES: readonly Stage[] = [
  ...GATE,
  [nodeStep('unit', 'unit tests on Node 24', () => matches(['tests/unit/**/*.test.ts']))],
]

/**
 * The step that runs these test files on Node 24.
 *
 * @param options Further ones of `node --test`.
 */
export function filesStep(paths: readonly string[], options: readonly string[]): Step {
  return nodeStep('files', 'the named files on Node 24', async () => [...options, ...paths])
}

/** Every test file of the project, relative to its folder. */
export function testFiles(): Promise<string[]> {
  return matches(['tests/**/*.test.ts'])
}

async function allTests(): Promise<string[]> {
  return (await testFiles()).filter((path) => !path.startsWith(LONG_TESTS))
}

function program(name: string, title: string, binary: string, ...argv: readonly string[]): Step {
  return { name, title, command: async () => [join(BIN, binary), ...argv] }
}

function nodeStep(
  name: string,
  title: string,
  files: () => Promise<readonly string[]>,
  node: () => Promise<readonly string[]> = async () => [
    process.execPath,
    `--test-concurrency=${CONCURRENCY}`,
  ],
): Step {
  return {
    name,
    title,
    command: async () => [
      ...(await node()),
      '--disable-warning=ExperimentalWarning',
      '--test',
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      ...(await files()),
    ],
  }
}

/** Unlike Node 24 it prints another form where no terminal reads it, unless told. */
async function node22(): Promise<readonly string[]> {
  return [await findNode22(), '--test-reporter=spec', '--test-concurrency=1']
}

/** Files that match, sorted. A pattern without a match is a mistake: its tests would be left out in silence. */
async function matches(patterns: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const pattern of patterns) {
    const paths: string[] = []
    for await (const path of glob(pattern, { cwd: ROOT })) paths.push(path)
    if (paths.length === 0) throw new Error(`No test file matches ${pattern} (scripts/test/steps.ts)`)
    for (const path of paths) found.add(path)
  }
  return [...found].toSorted()
}
