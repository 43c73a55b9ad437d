/**
 * The command `aviso health`: asks services how they are, for health checks of containers. It needs no configuration.
 *
 * @module
 */

import process from 'node:process'
import { Command, InvalidArgumentError } from 'commander'
import { isJsonRecord } from '#shared/json/record.ts'
import { DEV_DEFAULTS } from '#services/system/settings.ts'
import { isMain } from './is_main.ts'
import { parseCommand } from './parse_command.ts'
import { CALL } from './released.ts'
import { printResult } from './standard_output.ts'

/** Longest wait for the answer. The services themselves give their store 2 s. */
const ANSWER_LIMIT_MS = 5000
/** Where the services of this machine listen, unless told otherwise. */
const DEFAULT_URL = `http://${DEV_DEFAULTS.host}:${DEV_DEFAULTS.port}`

/** What is asked. */
interface HealthOptions {
  readonly live?: boolean
}

/** Prints how the services at an address are. @returns the exit code: 0, 1 where they are not well, 2 for a wrong command line */
export async function health(argv: readonly string[], call?: string): Promise<number> {
  const program = createHealthProgram(call)
  const exitCode = parseCommand(program, argv)
  if (exitCode !== undefined) return exitCode
  const base = program.processedArgs[0] as string
  const { live = false } = program.opts<HealthOptions>()
  const { isWell, text } = await ask(`${base.replace(/\/$/, '')}/${live ? 'livez' : 'readyz'}`)
  if (isWell) return printResult(text)
  console.error(`error: ${text}`)
  return 1
}

/**
 * The command line.
 *
 * @param call How it is called.
 * @param environment Its `AVISO_BASE_URL` is the default address.
 */
export function createHealthProgram(
  call = `${CALL} health`,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Command {
  return new Command(call)
    .description(
      'Asks services whether they can take requests. Exits with 0 if so, and with 1 and the reason if not.',
    )
    .argument('[url]', 'address of the services', httpAddress, environment['AVISO_BASE_URL'] ?? DEFAULT_URL)
    .option('--live', 'ask only whether the process is alive: its store does not count')
    .exitOverride()
}

interface Health {
  readonly isWell: boolean
  readonly text: string
}

async function ask(url: string): Promise<Health> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS), redirect: 'manual' })
    const body: unknown = await answer.json().catch(() => undefined)
    return judge(url, answer.status, isJsonRecord(body) ? body : {})
  } catch (error) {
    return { isWell: false, text: `${url} does not answer (${reasonOf(error)})` }
  }
}

/** Another program at the address may answer 200 too. */
function judge(
  url: string,
  status: number,
  { status: named, reason }: Readonly<Record<string, unknown>>,
): Health {
  if (typeof named !== 'string') return { isWell: false, text: `${url} answers ${status}, but is no Aviso` }
  if (status === 200) return { isWell: true, text: named }
  const why = typeof reason === 'string' ? reason : `${url} answers ${status}`
  return { isWell: false, text: `${named}: ${why}` }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'TimeoutError') return `not within ${ANSWER_LIMIT_MS / 1000} s`
  const { cause } = error
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return 'code' in error ? String(error.code) : error.message
}

function httpAddress(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError(`Use an address such as ${DEFAULT_URL}.`)
}

if (isMain(import.meta)) process.exitCode = await health(process.argv.slice(2))
