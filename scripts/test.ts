/**
 * `npm test`: the whole gate, one step after the other, stopping at the first failure.
 *
 * Needs nothing installed beyond `npm ci`: etcd and Node 22 are fetched as packages into `.cache` by the steps that use them.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode22 } from '../tests/support/node22.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIN = join(ROOT, 'node_modules', '.bin')
const SOURCES = ['services', 'shared', 'scripts', 'tests']
/** Everything but `tests/long`, which takes longer than anybody waits for a gate (`npm run test:long`). */
const GATE = ['tests/{unit,contract,service,parity,flow,runtime,faults,clients}/**/*.test.ts']
/** Suites that need no particular runtime: they run on every one that has `node:test`. */
const PORTABLE = [
  'tests/unit/shared/**/*.test.ts',
  'tests/unit/services/**/*.test.ts',
  'tests/contract/{hub,store}.{memory,embedded}.test.ts',
  'tests/service/**/*.test.ts',
]
/** Suites of the server that Node and Deno share. */
const NODE_SERVER = ['tests/runtime/node_stream.test.ts']
/** One test that hangs must not hold the gate for ever. */
const TEST_TIMEOUT_MS = 300_000
/** Nor must a file that does not end when its tests have. */
const STEP_TIMEOUT_MS = 900_000
/** Files at a time: half of them wait for a child process or a deadline, so more than Node's one of two processors. */
const CONCURRENCY = 2

interface Step {
  readonly name: string
  readonly run: () => Promise<readonly string[]>
}

const STEPS: readonly Step[] = [
  { name: 'format', run: async () => [join(BIN, 'oxfmt'), '--check', ...SOURCES] },
  { name: 'lint', run: async () => [join(BIN, 'oxlint'), '--type-aware', '--deny-warnings', ...SOURCES] },
  { name: 'imports', run: async () => [process.execPath, 'scripts/check_imports.ts'] },
  {
    name: 'types (services and shared see web standards only)',
    run: async () => [join(BIN, 'tsc'), '-p', 'tsconfig.json'],
  },
  { name: 'types (everything)', run: async () => [join(BIN, 'tsc'), '-p', 'tests/tsconfig.json'] },
  {
    name: 'tests on Node 24',
    run: async () => nodeTest(process.execPath, await files(GATE)),
  },
  {
    name: 'tests on Node 22',
    run: async () => nodeTest(await findNode22(), await files([...PORTABLE, ...NODE_SERVER])),
  },
  {
    name: 'tests on Deno',
    run: async () => [
      join(BIN, 'deno'),
      'test',
      '-A',
      '--no-check',
      '--quiet',
      ...(await files([...PORTABLE, ...NODE_SERVER])),
    ],
  },
  {
    name: 'tests on Bun',
    run: async () => [
      join(BIN, 'bun'),
      'test',
      '--timeout',
      String(TEST_TIMEOUT_MS),
      ...(await files(PORTABLE)),
    ],
  },
]

function nodeTest(node: string, paths: readonly string[]): readonly string[] {
  return [
    node,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...paths,
  ]
}

async function files(patterns: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const pattern of patterns) for await (const path of glob(pattern, { cwd: ROOT })) found.add(path)
  // Bun takes a bare name as a filter; a leading "./" makes it a path.
  return [...found].toSorted().map((path) => `./${path}`)
}

async function runStep(step: Step): Promise<boolean> {
  const [command = '', ...argv] = await step.run()
  const startedAt = performance.now()
  console.log(`\n── ${step.name}`)
  const code = await new Promise<number | null>((done) => {
    const child = spawn(command, argv, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: STEP_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    child.once('exit', done)
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`── ${step.name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds} s`)
  return code === 0
}

if (import.meta.main) {
  const only = process.argv.slice(2)
  const steps =
    only.length === 0 ? STEPS : STEPS.filter(({ name }) => only.some((part) => name.includes(part)))
  for (const step of steps) {
    if (await runStep(step)) continue
    process.exitCode = 1
    break
  }
  if (process.exitCode !== 1) console.log(`\nAll ${steps.length} steps passed`)
}
