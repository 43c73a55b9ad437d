/**
 * The command `aviso completion`: prints the lines that make a shell complete commands and flags. They are made from commander's own
 * definitions, so they cannot miss a flag.
 *
 * @module
 */

import type { Command, Option } from 'commander'

/** The shells that can complete. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** Words that may follow a command, such as `admin` or `admin status`. */
interface Level {
  /** The words behind `aviso`, with a space between; empty for `aviso` itself. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly description: string }[]
  readonly options: readonly Option[]
  /** Words that an argument may be. */
  readonly choices: readonly string[]
}

/** The lines for a shell. They only complete `aviso`, and call no program. */
export function completionText(program: Command, shell: Shell): string {
  const levels = levelsOf(program, '')
  switch (shell) {
    case 'bash':
      return bashText(levels)
    case 'zsh':
      // zsh runs bash's lines, which have no feature that it lacks.
      return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bashText(levels)}`
    case 'fish':
      return fishText(levels)
  }
}

function levelsOf(command: Command, path: string): readonly Level[] {
  const level: Level = {
    path,
    commands: command.commands.map((each) => ({ name: each.name(), description: each.description() })),
    options: command.options.filter(({ hidden }) => !hidden),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }
  const below = command.commands.flatMap((each) => levelsOf(each, `${path} ${each.name()}`.trim()))
  return [level, ...below]
}

function wordsOf({ commands, options, choices }: Level): readonly string[] {
  const flags = options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined))
  return [...commands.map(({ name }) => name), ...choices, ...flags, '-h', '--help']
}

/** The path is the first words that are commands; a flag before them does not count. */
function bashText(levels: readonly Level[]): string {
  const cases = levels.map(
    (level) => `    ${quoted(level.path)}) words=${quoted(wordsOf(level).join(' '))} ;;`,
  )
  const values = levels.flatMap(({ path, options }) =>
    options
      .filter(({ argChoices }) => argChoices !== undefined)
      .map(
        ({ long, argChoices = [] }) =>
          `    ${quoted(`${path} ${long ?? ''}`)}) words=${quoted(argChoices.join(' '))} ;;`,
      ),
  )
  const known = levels.filter(({ path }) => path !== '').map(({ path }) => quoted(path))
  return `_aviso() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" word next at
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    next="\${path:+$path }$word"
    case "$next" in
    ${known.join(' | ')}) path="$next" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  case "$path $previous" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _aviso aviso
`
}

function fishText(levels: readonly Level[]): string {
  const lines = levels.flatMap(({ path, commands, options, choices }) => {
    const condition = fishCondition(
      path,
      commands.map(({ name }) => name),
    )
    return [
      ...commands.map(
        ({ name, description }) =>
          `complete -c aviso -n ${condition} -f -a ${quoted(name)} -d ${quoted(description)}`,
      ),
      ...choices.map((choice) => `complete -c aviso -n ${condition} -f -a ${quoted(choice)}`),
      ...options.map((option) => `complete -c aviso -n ${condition} ${fishOption(option)}`),
    ]
  })
  return `${lines.join('\n')}\n`
}

function fishCondition(path: string, commands: readonly string[]): string {
  if (path === '') return quoted('__fish_use_subcommand')
  const seen = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`)
  const notYet = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.join(' ')}`]
  return quoted([...seen, ...notYet].join('; and '))
}

function fishOption({ short, long, required, argChoices, description }: Option): string {
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(required ? ['-r'] : []),
    ...(argChoices === undefined ? [] : [`-f -a ${quoted(argChoices.join(' '))}`]),
    `-d ${quoted(description)}`,
  ].join(' ')
}

/** A word in single quotes, as all three shells read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
