/**
 * Runs the mutants: each in a copy of the sources, with the tests that must notice it.
 *
 * `npm run mutants -- [PART]` runs those whose file has PART in its name.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ALL_MUTANTS } from './all_mutants.ts'
import { SUITES, type Mutant } from './mutant.ts'
import { isMain } from '../../scripts/is_main.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COPIED = ['package.json', 'wrangler-like.config.json', 'services', 'shared', 'scripts', 'tests']
/** A mutant that makes a test wait for ever is noticed, too. */
const LIMIT_MS = 90_000
/** All suites one after the other take a minute on two idle cores. */
const UNCHANGED_LIMIT_MS = 400_000

type Outcome = 'caught' | 'survived' | 'not applied'

async function main(part: string): Promise<number> {
  const mutants = ALL_MUTANTS.filter(({ file }) => file.includes(part))
  if (mutants.length === 0) {
    console.error(`error: there is no mutant of a file with "${part}" in its name`)
    return 2
  }
  const folder = await mkdtemp(join(tmpdir(), 'aviso-mutants-'))
  for (const name of COPIED) await cp(join(ROOT, name), join(folder, name), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const counts: Record<Outcome, number> = { caught: 0, survived: 0, 'not applied': 0 }
  try {
    // Where a test fails anyway, a mutant would seem to be caught.
    const files = new Set(mutants.flatMap(({ tests }) => tests).flatMap((suite) => [...SUITES[suite]]))
    const failure = await firstFailure(folder, [...files], UNCHANGED_LIMIT_MS)
    if (failure !== undefined) throw new Error(`The tests fail without a mutant: ${failure}`)
    for (const mutant of mutants) {
      const outcome = await runMutant(folder, mutant)
      counts[outcome]++
      if (outcome !== 'caught')
        console.log(`${outcome}: ${mutant.file}: ${mutant.from.trim()} -> ${mutant.to.trim()}`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const rate = ((counts.caught / mutants.length) * 100).toFixed(1)
  console.log(
    `${mutants.length} mutants: ${counts.caught} caught (${rate} %), ${counts.survived} survived, ${counts['not applied']} not applied`,
  )
  return counts.caught === mutants.length ? 0 : 1
}

async function runMutant(folder: string, { file, from, to, tests }: Mutant): Promise<Outcome> {
  const path = join(folder, file)
  const original = await readFile(path, 'utf8')
  if (original.split(from).length !== 2) return 'not applied'
  await writeFile(
    path,
    original.replace(from, () => to),
  )
  try {
    const files = tests.flatMap((suite) => [...SUITES[suite]])
    return (await firstFailure(folder, files)) === undefined ? 'survived' : 'caught'
  } finally {
    await writeFile(path, original)
  }
}

/**
 * Runs test files until a test fails.
 *
 * @returns what failed; `undefined` when everything passed.
 */
function firstFailure(
  folder: string,
  files: readonly string[],
  limitMs = LIMIT_MS,
): Promise<string | undefined> {
  const argv = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=tap',
    `--test-timeout=${LIMIT_MS / 2}`,
    '--test-force-exit',
    ...files,
  ]
  // A group of its own, so that the processes of single files end with it.
  const child = spawn(process.execPath, argv, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  })
  let failure: string | undefined
  const fail = (reason: string): void => {
    failure ??= reason
    if (child.pid !== undefined) killGroup(child.pid)
  }
  const limit = setTimeout(() => fail(`no end within ${limitMs / 1000} s`), limitMs)
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    if (line.trimStart().startsWith('not ok ')) fail(line.trim())
  })
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(limit)
      resolve(failure ?? (code === 0 ? undefined : `exit code ${code}`))
    })
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

if (isMain(import.meta)) process.exitCode = await main(process.argv[2] ?? '')
