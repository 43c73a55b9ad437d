/**
 * Generates the reference of the command line from commander's own definitions.
 *
 * @module
 */

import type { Argument, Command, Option } from 'commander'
import { EXIT_FAILURE, EXIT_USAGE } from '#shared/client/client_error.ts'
import { CLIENT_EXIT_CODES, createProgram } from '../aviso/program.ts'
import { createHealthProgram } from '../health.ts'
import { createBuildProgram } from '../build.ts'
import { createServeProgram } from '../serve/options.ts'
import { code, generatedDocument, table } from './markdown.ts'

const SERVE_EXIT_CODES = [
  ['0', 'stopped by a signal, or help was shown'],
  [String(EXIT_FAILURE), 'stopped by a second signal, or too slow to stop'],
  [String(EXIT_USAGE), 'the command line or the configuration is wrong'],
] as const

const HEALTH_EXIT_CODES = [
  ['0', 'all is well'],
  [String(EXIT_FAILURE), 'not ready, not there, or another program; the reason is on standard error'],
  [String(EXIT_USAGE), 'the command line is wrong'],
] as const

/** The text of `scripts/COMMANDS.md`. */
export function commandLineText(): string {
  const serve = createServeProgram('Node, Deno, Bun or workerd')
  const health = createHealthProgram('npm run aviso -- health', {})
  const client = createProgram('', () => undefined)
  const commands = leavesOf(client)
  const common = commonOptions(commands)
  return generatedDocument('Command line', 'the command lines in `scripts`', [
    'An installed `aviso` has the same commands: `aviso serve` is `npm start --`, and `aviso` is `npm run aviso --`.',
    '## npm start',
    ...describe('npm start --', serve, []),
    exitCodes(SERVE_EXIT_CODES),
    '## npm run aviso -- health',
    ...describe('npm run aviso -- health', health, []),
    exitCodes(HEALTH_EXIT_CODES),
    '## npm run aviso -- build',
    ...describe('npm run aviso -- build', createBuildProgram('npm run aviso -- build'), []),
    '## npm run aviso',
    client.description(),
    exitCodes(CLIENT_EXIT_CODES),
    'Every command also takes these options:',
    optionTable(common),
    ...commands.flatMap((command) => {
      const name = pathOf(command)
      return [`### ${name}`, ...describe(`npm run aviso -- ${name}`, command, common)]
    }),
  ])
}

/** The commands without subcommands, in their order. */
function leavesOf(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf)
}

/** The names from the program down to a command, without the program's own name. */
function pathOf(command: Command): string {
  const names: string[] = []
  for (let at = command; at.parent !== null; at = at.parent) names.unshift(at.name())
  return names.join(' ')
}

function commonOptions(commands: readonly Command[]): readonly Option[] {
  const [first, ...others] = commands.map(shownOptions)
  return (first ?? []).filter(({ flags }) =>
    others.every((options) => options.some((option) => option.flags === flags)),
  )
}

function shownOptions(command: Command): readonly Option[] {
  return command.options.filter(({ hidden }) => !hidden)
}

function describe(call: string, command: Command, common: readonly Option[]): readonly string[] {
  const own = shownOptions(command).filter(({ flags }) => !common.some((option) => option.flags === flags))
  const names = command.registeredArguments.map(argumentText)
  const words = [call, ...names, ...(own.length + common.length > 0 ? ['[options]'] : [])]
  const described = command.registeredArguments.filter(({ description }) => description !== '')
  const parts = [
    code(words.join(' ')),
    command.description(),
    table(
      ['argument', 'meaning'],
      described.map((argument) => [code(argumentText(argument)), argument.description]),
    ),
    optionTable(own),
  ]
  return parts.filter((part) => part !== '')
}

/** An argument as help shows it, such as `<event>` or `[files...]`. */
function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '')
  return argument.required ? `<${name}>` : `[${name}]`
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => [code(option.flags), meaningOf(option), defaultOf(option)])
  return table(['option', 'meaning', 'default'], rows)
}

function meaningOf({ description, argChoices, mandatory }: Option): string {
  const choices = argChoices === undefined ? '' : ` (${argChoices.map(code).join(', ')})`
  return `${description}${choices}${mandatory ? '; required' : ''}`
}

function defaultOf({ defaultValue, negate }: Option): string {
  // commander gives an option `--no-x` the default `true` of `x`.
  return defaultValue === undefined || negate ? '' : code(String(defaultValue))
}

function exitCodes(rows: readonly (readonly [string, string])[]): string {
  return table(['exit code', 'meaning'], rows)
}
