/**
 * Defines the steps of the gate: their commands, and which of them may run at the same time.
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
/** Tests that take too long for the gate: `npm run test:long`. */
export const LONG_TESTS = 'tests/long/'
/** Suites that need no particular runtime. They run on every runtime that has `node:test`, in one process: starting one for each file takes as long again. */
const PORTABLE = [
  'tests/unit/shared/**/*.test.ts',
  'tests/unit/services/**/*.test.ts',
  'tests/contract/{hub,store}.{memory,embedded}.test.ts',
  'tests/service/**/*.test.ts',
]
/** Suites for the server that Node and Deno share. */
const NODE_SERVER = ['tests/runtime/node_{answer,linger,request}.test.ts']
/** Suites for what Node's server alone does. */
const NODE_ALONE = ['tests/runtime/node_{stream_sockets,heap_bounds}.test.ts']
/**
 * Tests that do not run on Bun, because they cut connections. Bun's `fetch` then drops bytes that it has received but not yet handed over
 * (7 of 50 such answers with Bun 1.4.5, none with Node or Deno). The client runs on Node.
 */
const NOT_ON_BUN = 'tests/unit/shared/client/'
/** Tests that make a release and install it. Most of their time they wait for npm, so they run beside the other runtimes. */
const RELEASE_TESTS = 'tests/release/'
/** Longest time of a test, because a test that hangs must not block the gate for ever. */
const TEST_TIMEOUT_MS = 300_000
/*
 * Longest times of a step: twice what it usually takes beside the others of its stage, because one that hangs must not block the gate for ever.
 */
/** Checks take up to 25 s, and twice as long on a machine that has other work. */
const CHECK_LIMIT_MS = 180_000
/** The files with processes of their own take 500 to 680 s. */
const PROCESSES_LIMIT_MS = 1_320_000
/** A runtime takes 130 to 340 s for the portable tests. */
const RUNTIME_LIMIT_MS = 720_000
/** Making releases and installing them takes 40 to 150 s, most of it for npm. */
const RELEASE_LIMIT_MS = 300_000
/** Anything may be named, long tests too. */
const FILES_LIMIT_MS = 1_800_000
/** Test files at a time when Node runs alone. More than two processors, because most of the time files wait for a process of their own. */
const CONCURRENCY = 3

/** One command of the gate. */
export interface Step {
  /** Word that selects the step: `npm test -- lint`. */
  readonly name: string
  /** Title of its results. */
  readonly title: string
  /** Its longest time in milliseconds. */
  readonly limitMs: number
  /** @returns the command line. @throws {Error} When a program is not available, or a pattern matches no file. */
  command(): Promise<readonly string[]>
}

/** Steps that run at the same time. */
export type Stage = readonly Step[]

/** The steps that run no tests: `npm run check`. */
export const CHECKS: Stage = [
  program('format', 'format', 'oxfmt', '--check', ...SOURCES),
  program('lint', 'lint', 'oxlint', '--type-aware', '--deny-warnings', ...SOURCES),
  {
    name: 'imports',
    title: 'imports',
    limitMs: CHECK_LIMIT_MS,
    command: async () => [process.execPath, 'scripts/check_imports.ts'],
  },
  program('types', 'types: services and shared see web standards only', 'tsc', '-p', 'tsconfig.json'),
  program('types', 'types: everything', 'tsc', '-p', 'tests/tsconfig.json'),
  program('types', "types: the console's page", 'tsc', '-p', 'services/console/page/tsconfig.json'),
]

/**
 * The whole gate, stage after stage. What needs processes of its own has a separate stage, because its fault tests measure times. The
 * steps after it take one file at a time and mostly wait, so two processors are enough for all of them.
 */
export const GATE: readonly Stage[] = [
  CHECKS,
  [nodeStep({ name: 'node24', title: 'tests on Node 24', limitMs: PROCESSES_LIMIT_MS }, testsWithProcesses)],
  [
    nodeStep(
      { name: 'portable', title: 'portable tests on Node 24', limitMs: RUNTIME_LIMIT_MS },
      () => matches(PORTABLE),
      async () => [process.execPath, '--test-isolation=none'],
    ),
    nodeStep(
      { name: 'node22', title: 'tests on Node 22', limitMs: RUNTIME_LIMIT_MS },
      () => matches([...PORTABLE, ...NODE_SERVER, ...NODE_ALONE]),
      node22,
    ),
    {
      name: 'deno',
      title: 'tests on Deno',
      limitMs: RUNTIME_LIMIT_MS,
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
      limitMs: RUNTIME_LIMIT_MS,
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
    nodeStep({ name: 'release', title: 'the release, installed', limitMs: RELEASE_LIMIT_MS }, () =>
      matches([`${RELEASE_TESTS}*.test.ts`]),
    ),
  ],
]

/** All stages that words can select from, in the order in which they run. */
export const STAGES: readonly Stage[] = [
  ...GATE,
  [
    nodeStep({ name: 'unit', title: 'unit tests on Node 24', limitMs: RUNTIME_LIMIT_MS }, () =>
      matches(['tests/unit/**/*.test.ts']),
    ),
  ],
]

/**
 * The step that runs these test files on Node 24.
 *
 * @param options Further options of `node --test`.
 */
export function filesStep(paths: readonly string[], options: readonly string[]): Step {
  return nodeStep(
    { name: 'files', title: 'the named files on Node 24', limitMs: FILES_LIMIT_MS },
    async () => [...options, ...paths],
  )
}

/** All test files of the project, relative to its folder. */
export function testFiles(): Promise<string[]> {
  return matches(['tests/**/*.test.ts'])
}

/** All tests of the gate but those that other steps run on Node 24. */
async function testsWithProcesses(): Promise<string[]> {
  const others = [LONG_TESTS, RELEASE_TESTS]
  const portable = new Set(await matches(PORTABLE))
  return (await testFiles()).filter(
    (path) => !portable.has(path) && !others.some((folder) => path.startsWith(folder)),
  )
}

function program(name: string, title: string, binary: string, ...argv: readonly string[]): Step {
  return { name, title, limitMs: CHECK_LIMIT_MS, command: async () => [join(BIN, binary), ...argv] }
}

function nodeStep(
  parts: Omit<Step, 'command'>,
  files: () => Promise<readonly string[]>,
  node: () => Promise<readonly string[]> = async () => [
    process.execPath,
    `--test-concurrency=${CONCURRENCY}`,
  ],
): Step {
  return {
    ...parts,
    command: async () => [
      ...(await node()),
      '--disable-warning=ExperimentalWarning',
      '--test',
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      ...(await files()),
    ],
  }
}

/** The command of Node 22. It needs the reporter, because without a terminal it prints another format than Node 24. */
async function node22(): Promise<readonly string[]> {
  return [await findNode22(), '--test-reporter=spec', '--experimental-test-isolation=none']
}

/** The matching files, sorted. A pattern without a match is a mistake, because its tests would be left out silently. */
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
