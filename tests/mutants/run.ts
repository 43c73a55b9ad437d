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
import { fileURLToPath } from 'node:url'
import { IDENTITY_MUTANTS } from './identity_mutants.ts'
import { SUITES, type Mutant } from './mutant.ts'
import { POLICY_MUTANTS } from './policy_mutants.ts'
import { SERVICE_MUTANTS } from './service_mutants.ts'
import { VERDICT_MUTANTS } from './verdict_mutants.ts'
import { isMain } from '../../scripts/is_main.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MUTANTS = [...IDENTITY_MUTANTS, ...VERDICT_MUTANTS, ...POLICY_MUTANTS, ...SERVICE_MUTANTS]
const COPIED = ['package.json', 'wrangler-like.config.json', 'services', 'shared', 'scripts', 'tests']
/** A mutant that makes a test wait for ever is noticed, too. */
const LIMIT_MS = 90_000
/** All suites one after the other take a minute on two idle cores. */
const UNCHANGED_LIMIT_MS = 400_000

type Outcome = 'caught' | 'survived' | 'not applied'

async function main(part: string): Promise<number> {
  const mutants = MUTANTS.filter(({ file }) => file.includes(part))
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
    if (!(await passes(folder, [...files], UNCHANGED_LIMIT_MS)))
      throw new Error('The tests fail without a mutant, or do not end')
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
    return (await passes(folder, files)) ? 'survived' : 'caught'
  } finally {
    await writeFile(path, original)
  }
}

function passes(folder: string, files: readonly string[], limitMs = LIMIT_MS): Promise<boolean> {
  const argv = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-timeout=${LIMIT_MS / 2}`,
    '--test-force-exit',
    ...files,
  ]
  const child = spawn(process.execPath, argv, { cwd: folder, stdio: 'ignore' })
  const limit = setTimeout(() => child.kill('SIGKILL'), limitMs)
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(limit)
      resolve(code === 0)
    })
  })
}

if (isMain(import.meta)) process.exitCode = await main(process.argv[2] ?? '')
