/**
 * The command `aviso config check`: says what counts of the services' configuration, where each value comes from, and all that is wrong. It
 * looks at what `serve --check-offline` looks at, but not at ports, because the services may be running.
 *
 * @module
 */

import { homedir } from 'node:os'
import { SERVICE_NAMES } from '#services/system/settings.ts'
import { EXIT_USAGE } from '#shared/client/client_error.ts'
import { isAvisoError } from '#shared/errors.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { findConfigToRead } from '../serve/given_config.ts'
import {
  DEFAULT_CONFIG_FILE,
  readConfigText,
  readOptionsConfig,
  type ServeOptions,
} from '../serve/options.ts'
import { preflight } from '../serve/preflight.ts'
import { secretPlaces } from '../serve/secret_names.ts'
import { printAnswer } from './answer.ts'
import { effectiveSettings, type EffectiveSetting } from './effective_settings.ts'
import type { Output } from './output.ts'
import { plain } from './runs/run_text.ts'
import { columnsText, tableText } from './table.ts'

/** What is checked. */
export interface CheckTask {
  /** The file; absent: the one of the working folder, or the built-in one. */
  readonly file?: string | undefined
  /** Name of an environment in it. */
  readonly env?: string | undefined
}

/** Where the command runs. */
export interface CheckContext {
  readonly output: Output
  readonly json: boolean
  readonly readText: (path: string) => Promise<string>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** A variable of the environment that the configuration names. */
interface NamedSecret {
  readonly name: string
  readonly state: 'set' | 'in a file' | 'not set'
  readonly settings: readonly string[]
}

/** Everything that is told. */
interface Checked {
  readonly file: string
  readonly environment: string | undefined
  readonly settings: readonly EffectiveSetting[]
  readonly secrets: readonly NamedSecret[]
  readonly problems: readonly string[]
}

/** Settings of a worker that stand above its table, whole. */
const SHOWN_ABOVE = ['main', 'routes', 'triggers.crons']
/** Longest value in a table; `--json` has all of it. */
const MAX_VALUE_CHARACTERS = 60

/** Prints the configuration and its problems. @returns the exit code: 2 where something is wrong */
export async function checkServicesConfig(task: CheckTask, context: CheckContext): Promise<number> {
  const { output } = context
  const { checked, notices } = await check(task, context)
  printAnswer({ text: textOf(checked), json: jsonOf(checked, notices) }, context)
  for (const notice of notices) output.log('WARNING', notice)
  // The table is on standard output, which may be elsewhere.
  for (const problem of checked.problems) output.log('ERROR', `${checked.file}: ${problem}`)
  if (checked.problems.length > 0) return EXIT_USAGE
  output.log(
    'INFO',
    `${checked.file}: nothing is wrong. The store was not asked, nor were ports opened: serve --check does both`,
  )
  return 0
}

async function check(
  { file, env }: CheckTask,
  context: CheckContext,
): Promise<{ readonly checked: Checked; readonly notices: readonly string[] }> {
  const platform = await detectPlatform()
  const named: ServeOptions = {
    services: SERVICE_NAMES,
    config: file ?? DEFAULT_CONFIG_FILE,
    isConfigNamed: file !== undefined,
    ...(env !== undefined && { env }),
  }
  const begun: Checked = { file: named.config, environment: env, settings: [], secrets: [], problems: [] }
  const notices: string[] = []
  try {
    const given = await findConfigToRead(named, { ...context, home: homedir() })
    notices.push(...given.notes)
    const { options } = given
    const text = await readConfigText(options.config, given.readText)
    const settings = effectiveSettings({ text, source: options.config, environment: env })
    const read = await readOptionsConfig(options, given.readText)
    notices.push(...read.notices)
    const secrets = secretsOf(read.given, given.environment)
    const told = { ...begun, file: options.config, settings, secrets }
    const problems = await problemsOf(options.config, async () => {
      const { environment, readText } = given
      const hasUdp = platform.udp !== undefined
      await preflight({ options, read, environment, readText, hasUdp, opensPorts: false })
    })
    return { checked: { ...told, problems }, notices }
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return { checked: { ...begun, problems: linesOf(named.config, error.message) }, notices }
  }
}

async function problemsOf(file: string, look: () => Promise<void>): Promise<readonly string[]> {
  try {
    await look()
    return []
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    return linesOf(file, error.message)
  }
}

/** The problems of a refusal, which stand below one another where there are several. */
function linesOf(file: string, message: string): readonly string[] {
  const list = message.startsWith(`${file}:`) ? message.slice(file.length + 1) : message
  return list
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function secretsOf(given: unknown, environment: CheckContext['environment']): readonly NamedSecret[] {
  const settings = new Map<string, string[]>()
  for (const { path, name } of secretPlaces(given)) settings.set(name, [...(settings.get(name) ?? []), path])
  const isGiven = (name: string): boolean => (environment[name] ?? '') !== ''
  return [...settings].map(([name, paths]) => ({
    name,
    state: isGiven(name) ? 'set' : isGiven(`${name}_FILE`) ? 'in a file' : 'not set',
    settings: paths,
  }))
}

function textOf({ file, environment, settings, secrets }: Checked): string {
  const title = environment === undefined ? file : `${file}, environment ${environment}`
  const shared = settings.filter(({ path }) => !path.startsWith('workers.'))
  const parts = [
    title,
    ...(shared.length === 0 ? [] : [settingsTable(shared, '')]),
    ...SERVICE_NAMES.flatMap((name) => workerText(name, settings)),
    ...(secrets.length === 0
      ? []
      : [
          tableText(
            ['variable', 'state', 'named by'],
            secrets.map(({ name, state, settings: paths }) => [name, state, paths.join(', ')]),
          ),
        ]),
  ]
  return parts.join('\n\n')
}

/** A worker: what requests and triggers reach it, then its settings. */
function workerText(name: string, settings: readonly EffectiveSetting[]): readonly string[] {
  const prefix = `workers.${name}.`
  const own = settings.filter(({ path }) => path.startsWith(prefix))
  if (own.length === 0) return []
  const setting = (path: string): EffectiveSetting | undefined =>
    own.find((one) => one.path === prefix + path)
  const facts = [
    ['routes', setting('routes')],
    ['triggers', setting('triggers.crons')],
  ] as const
  const rows = facts.flatMap(([word, found]) =>
    found === undefined ? [] : [[word, listText(found.value), found.from]],
  )
  const others = own.filter(({ path }) => !SHOWN_ABOVE.includes(path.slice(prefix.length)))
  const main = setting('main')
  const text = [
    `${name}: ${valueText(main?.value)} (${main?.from ?? ''})`,
    columnsText(rows),
    settingsTable(others, prefix),
  ]
  return [text.filter((part) => part !== '').join('\n')]
}

function settingsTable(settings: readonly EffectiveSetting[], prefix: string): string {
  return tableText(
    ['setting', 'value', 'from'],
    settings.map(({ path, value, from }) => [path.slice(prefix.length), cut(valueText(value)), from]),
  )
}

function listText(value: unknown): string {
  return Array.isArray(value) ? value.map(valueText).join(', ') : ''
}

function valueText(value: unknown): string {
  return plain(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
}

function cut(text: string): string {
  return text.length > MAX_VALUE_CHARACTERS ? `${text.slice(0, MAX_VALUE_CHARACTERS)}…` : text
}

function jsonOf(
  { file, environment, settings, secrets, problems }: Checked,
  notices: readonly string[],
): unknown {
  return {
    file,
    environment: environment ?? null,
    settings: Object.fromEntries(settings.map(({ path, ...rest }) => [path, rest])),
    secrets: Object.fromEntries(secrets.map(({ name, ...rest }) => [name, rest])),
    notices,
    problems,
  }
}
