/**
 * The program `aviso`: the client's commands `listen | replay | explain | runs | wait | notify | key | value | schema | config | admin | completion`, and the
 * programs `serve | health | demo | etcd` (`programs.ts`).
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import process from 'node:process'
import { CommanderError } from 'commander'
import packageFile from '../package.json' with { type: 'json' }
import { systemClock } from '#shared/time/clock.ts'
import {
  ClientError,
  EXIT_FAILURE,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  messageOf,
} from '#shared/client/client_error.ts'
import { toText } from '#shared/bytes/bytes.ts'
import type { Authorities } from './aviso/authorities.ts'
import { showConfig } from './aviso/config_show.ts'
import { loadClientConfig, type ClientConfig } from './aviso/config.ts'
import { completionText } from './aviso/completion.ts'
import type { CommandContext } from './aviso/context.ts'
import { createCredentials } from '#shared/client/credentials.ts'
import { createProxiedFetch } from './aviso/proxied_fetch.ts'
import { decodeFile } from './aviso/decode_file.ts'
import { createOutput, type Output } from './aviso/output.ts'
import { createProgram, type Invocation } from './aviso/program.ts'
import { isMain } from './is_main.ts'
import { defineProgramsIn, findProgram, nameProgramsIn } from './programs.ts'
import { onStopRequest } from './stop_requests.ts'

/** Longest time that the process waits for running triggers after the second signal. */
const KILL_GRACE_MS = 1000

/** Runs the program. @returns the exit code */
export async function aviso(argv: readonly string[]): Promise<number> {
  const run = findProgram(argv)
  if (run !== undefined) return run()
  const code = await client(argv)
  await outputEnd()
  return code
}

async function client(argv: readonly string[]): Promise<number> {
  process.stdout.on('error', onOutputError)
  const invocation = parseArguments(argv)
  if (typeof invocation === 'number') return invocation
  const { flags } = invocation
  let output = plainOutput({ debug: flags.debug === true, quiet: flags.quiet === true })
  let noFail = flags.fail === false
  let sendsCredential = true
  try {
    const config = await loadClientConfig({ flags, environment: process.env, home: homedir(), readText })
    noFail = config.noFail
    sendsCredential = config.authType !== 'none'
    output = plainOutput(config)
    for (const warning of config.warnings) output.log('WARNING', warning)
    if (invocation.command === 'config' && invocation.task.kind === 'show') {
      // It must work without a credential: it shows why one cannot be read.
      showConfig(config, { output, json: flags.json === true })
      return 0
    }
    if (invocation.command === 'explain-access') {
      // Like `show`, it is about a file and not about a service.
      const { explainAccess } = await import('./aviso/explain_access.ts')
      const code = await explainAccess(invocation.task, {
        output,
        json: flags.json === true,
        readText: (path) => readFile(path, 'utf8'),
        environment: process.env,
        home: homedir(),
      })
      return noFail ? 0 : code
    }
    if (invocation.command === 'check-config') {
      const { checkServicesConfig } = await import('./aviso/config_check.ts')
      const code = await checkServicesConfig(invocation.task, {
        output,
        json: flags.json === true,
        readText: (path) => readFile(path, 'utf8'),
        environment: process.env,
      })
      return noFail ? 0 : code
    }
    if (invocation.command === 'import-config') {
      const { importServices } = await import('./aviso/import_config.ts')
      const target = { output, json: flags.json === true }
      await importServices(invocation.task, {
        ...target,
        readText,
        environment: process.env,
        home: homedir(),
      })
      return 0
    }
    const context = await createContext(config, output, invocation)
    await run(invocation, context)
    return context.kill.aborted ? EXIT_INTERRUPTED : 0
  } catch (error) {
    output.clearStatus()
    output.log('ERROR', messageOf(error) + credentialHint(error, sendsCredential))
    if (!(error instanceof ClientError))
      output.log('DEBUG', error instanceof Error ? (error.stack ?? '') : '')
    if (noFail) return 0
    return error instanceof ClientError ? error.exitCode : EXIT_FAILURE
  }
}

/** How a credential is given, where a service wants one and none was sent. */
function credentialHint(error: unknown, sendsCredential: boolean): string {
  if (sendsCredential || !(error instanceof ClientError) || error.status !== 401) return ''
  return '. No token was sent: name its file with --token-file or AVISO_TOKEN_FILE, or set AVISO_TOKEN'
}

/** Runs a command. It is loaded here, because loading all of them takes longer than most take to run. */
async function run(
  invocation: Exclude<Invocation, { readonly command: 'explain-access' | 'import-config' | 'check-config' }>,
  context: CommandContext,
): Promise<void> {
  switch (invocation.command) {
    case 'listen':
      return (await import('./aviso/listen.ts')).listen(invocation.words, invocation.flags, context)
    case 'replay':
      return (await import('./aviso/replay.ts')).replay(invocation.words, invocation.flags, context)
    case 'explain':
      return (await import('./aviso/explain.ts')).explain(invocation.words, invocation.flags, context)
    case 'schema':
      return (await import('./aviso/schema.ts')).printSchema(invocation.event, context)
    case 'completion':
      return context.output.result(
        completionText(
          await defineProgramsIn(createProgram(packageFile.version, () => undefined)),
          invocation.shell,
        ).trimEnd(),
      )
    case 'notify':
      return (await import('./aviso/notify.ts')).notify(invocation.params, context)
    case 'key':
      return (await import('./aviso/key.ts')).printKey(invocation.params, context)
    case 'value':
      return (await import('./aviso/key.ts')).printValue(invocation.params, context)
    case 'admin':
      return (await import('./aviso/admin.ts')).administrate(invocation.task, context)
    case 'config':
      return (await import('./aviso/service_config.ts')).manageConfig(invocation.task, context)
    case 'runs': {
      const { task } = invocation
      return task.kind === 'show'
        ? (await import('./aviso/runs/runs.ts')).runs(task.words, task.options, context)
        : (await import('./aviso/runs/wait.ts')).wait(task.words, task.options, context)
    }
  }
}

function parseArguments(argv: readonly string[]): Invocation | number {
  let invocation: Invocation | undefined
  try {
    const program = createProgram(packageFile.version, (parsed) => (invocation = parsed))
    nameProgramsIn(program)
    const [first = ''] = argv
    const isKnown = first === 'help' || program.commands.some((command) => command.name() === first)
    // Behind a command that there is not, --help would print the help of the program, as if the command were there.
    program.parse(isKnown || first.startsWith('-') ? [...argv] : argv.slice(0, 1), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Other programs take them in front.
    if (error.code === 'commander.unknownOption' && argv[0]?.startsWith('-') === true)
      process.stderr.write('Options stand behind the command, such as aviso schema --host HOST\n')
    return error.exitCode === 0 ? 0 : EXIT_USAGE
  }
  return invocation ?? EXIT_USAGE
}

async function createContext(
  config: ClientConfig,
  output: Output,
  invocation: Invocation,
): Promise<CommandContext> {
  const { stop, kill } = stopSignals(output)
  const credentials = await createCredentials(config, readText)
  if (config.authType !== 'none' && isOpenAddress(config.baseUrl)) {
    output.log('WARNING', `The key is sent to ${config.baseUrl} unencrypted: use an https address`)
  }
  return {
    config,
    credentials,
    output,
    json: invocation.flags.json === true,
    home: homedir(),
    environment: process.env,
    fetch: createProxiedFetch(
      process.env,
      (url, init) => fetch(url, init),
      await authoritiesOf(config, output),
    ),
    clock: systemClock,
    random: Math.random,
    uuid: randomUUID,
    readText,
    stop,
    kill,
  }
}

/** Loaded here, because most machines need no authorities of their own. What is meant for other programs, too, stops no command. */
async function authoritiesOf(
  { authorityFile }: ClientConfig,
  output: Output,
): Promise<Authorities | undefined> {
  if (authorityFile === undefined) return undefined
  const { readAuthorities } = await import('./aviso/authorities.ts')
  try {
    return await readAuthorities(authorityFile, readCertificates)
  } catch (error) {
    if (authorityFile.from !== 'SSL_CERT_FILE') throw error
    output.log('WARNING', `${messageOf(error)}. Only the usual authorities are trusted`)
    return undefined
  }
}

/** Signals for the commands. After the first request to stop, running triggers may finish. The second request ends them. */
function stopSignals(output: Output): { readonly stop: AbortSignal; readonly kill: AbortSignal } {
  const stop = new AbortController()
  const kill = new AbortController()
  const onRequest = (signal: NodeJS.Signals): void => {
    if (!stop.signal.aborted) {
      output.log('INFO', `${signal}: stopping`)
      stop.abort()
      return
    }
    output.clearStatus()
    kill.abort()
    setTimeout(() => process.exit(EXIT_INTERRUPTED), KILL_GRACE_MS)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const
  onStopRequest(onRequest, { source: process, signals, now: () => performance.now() })
  return { stop: stop.signal, kill: kill.signal }
}

function plainOutput({
  debug,
  quiet,
  logFile,
}: {
  readonly debug: boolean
  readonly quiet: boolean
  readonly logFile?: string
}): Output {
  return createOutput({
    stdout: process.stdout,
    stderr: process.stderr,
    debug,
    quiet,
    // https://no-color.org
    colour: (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb',
    logFile,
    now: () => systemClock.now(),
  })
}

function isOpenAddress(baseUrl: string): boolean {
  const { protocol, hostname } = new URL(baseUrl)
  return protocol === 'http:' && !/^(?:localhost|127\..*|\[::1\])$/.test(hostname)
}

async function readText(path: string): Promise<string | undefined> {
  const bytes = await readBytes(path)
  return bytes === undefined ? undefined : decodeFile(bytes)
}

/** A certificate file may have comments in any encoding. They are skipped. */
async function readCertificates(path: string): Promise<string | undefined> {
  const bytes = await readBytes(path)
  return bytes === undefined ? undefined : toText(bytes)
}

async function readBytes(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Waits until stdout has taken everything: a full disk is told one turn after the write, which must not come behind the exit. Bun tells it
 * one turn later than the end of the write.
 */
async function outputEnd(): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
  await new Promise((resolve) => setImmediate(resolve))
}

/** A reader such as `head` may have enough, which is no failure. What could not be written for another reason is one. */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`Cannot write the output: ${messageOf(error)}\n`)
  process.exit(EXIT_FAILURE)
}

/** npm runs scripts in the clone, and passes the folder of its caller, whose paths are meant. */
function enterCallersFolder({ npm_lifecycle_event: script, INIT_CWD: folder }: NodeJS.ProcessEnv): void {
  if (script === 'aviso' && folder !== undefined) process.chdir(folder)
}

if (isMain(import.meta)) {
  enterCallersFolder(process.env)
  process.exitCode = await aviso(process.argv.slice(2))
  // Sockets that are kept for reuse must not keep the process running.
  process.exit()
}
