/**
 * The command `npm test`: runs the whole gate, or the steps and test files that are named.
 *
 * It needs only `npm ci`. The steps that use etcd and Node 22 download these as packages into `.cache`.
 *
 * @module
 */

import process from 'node:process'
import { Command } from 'commander'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'
import { runStages, toTable } from './test/run_stages.ts'
import { NothingSelected, selectStages, WHAT_THERE_IS } from './test/selection.ts'
import { testFiles, type Stage } from './test/steps.ts'

async function main(argv: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  const stages = await parseArguments(argv)
  if (typeof stages === 'number') return stages
  const results = await runStages(stages, (text) => process.stdout.write(text))
  if (results.length > 1) console.log(`\n${toTable(results, (performance.now() - startedAt) / 1000)}`)
  return results.every(({ passed }) => passed) ? 0 : 1
}

/** @returns the stages to run, or the exit code after help or a mistake */
async function parseArguments(argv: readonly string[]): Promise<readonly Stage[] | number> {
  const split = argv.includes('--') ? argv.indexOf('--') : argv.length
  const program = new Command('npm test --')
    .usage('[name or path…] [-- option of node --test…]')
    .description(
      'Runs the whole gate, or what is named. Exit code 0: all passed, 1: something failed, 2: a name is wrong.',
    )
    .argument('[names...]', 'steps, test files, folders or globs')
    .addHelpText('after', `\n${WHAT_THERE_IS}`)
    .showHelpAfterError()
    .exitOverride()
  const exitCode = parseCommand(program, argv.slice(0, split))
  if (exitCode !== undefined) return exitCode
  try {
    return selectStages({
      words: program.args,
      options: argv.slice(split + 1),
      // npm runs scripts in the project's folder, and passes the caller's folder in INIT_CWD.
      folder: process.env['INIT_CWD'] ?? process.cwd(),
      tests: await testFiles(),
    })
  } catch (error) {
    if (!(error instanceof NothingSelected)) throw error
    console.error(`error: ${error.message}`)
    return 2
  }
}

if (isMain(import.meta)) process.exitCode = await main(process.argv.slice(2))
