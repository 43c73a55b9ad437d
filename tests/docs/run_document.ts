/**
 * Runs the steps of a document, as a reader with several terminals would.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { missingLine, type Step } from './read_document.ts'

/** Where a document is run. */
export interface Site {
  /** A clone. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** A step's text, as it is run and compared here. */
  readonly adapt: (text: string) => string
}

/** A command of a document, in a process group of its own. */
interface Terminal {
  readonly script: string
  readonly output: () => string
  /** Resolves with the exit code; `null` where a signal ended it. */
  readonly ended: Promise<number | null>
  /** Resolves when something was printed, or it ended. */
  readonly heard: () => Promise<void>
  readonly isOver: () => boolean
  stop(): Promise<void>
}

/** An installation on a busy machine takes the longest. */
const STEP_LIMIT_MS = 120_000
/** A service may take 15 s to stop. */
const STOP_LIMIT_MS = 20_000
const SHOWN_CHARACTERS = 4_000

/**
 * Runs all steps, then ends every server.
 *
 * @throws {Error} naming the line of the step that failed, with what it printed.
 */
export async function runSteps(steps: readonly Step[], site: Site): Promise<void> {
  const servers = new Map<string, Terminal>()
  try {
    for (const step of steps) await runStep(step, site, servers)
  } finally {
    for (const server of [...servers.values()].toReversed()) await server.stop()
  }
}

async function runStep(step: Step, site: Site, servers: Map<string, Terminal>): Promise<void> {
  const prints = step.prints.map(site.adapt)
  switch (step.kind) {
    case 'run': {
      const terminal = open(step.script, site)
      const code = await withinLimit(terminal, terminal.ended, step.line)
      assert.equal(code, 0, `line ${step.line}: exit code ${code}\n${shown(terminal)}`)
      const missing = missingLine(terminal.output(), prints)
      assert.equal(missing, undefined, `line ${step.line}: not printed: ${missing}\n${shown(terminal)}`)
      return
    }
    case 'server': {
      assert.ok(!servers.has(step.name), `line ${step.line}: there is a server ${step.name} already`)
      const terminal = open(step.script, site)
      servers.set(step.name, terminal)
      return waitForLines(terminal, prints, step.line)
    }
    case 'prints': {
      const terminal = servers.get(step.from)
      assert.ok(terminal !== undefined, `line ${step.line}: there is no server ${step.from}`)
      return waitForLines(terminal, prints, step.line)
    }
  }
}

async function waitForLines(terminal: Terminal, lines: readonly string[], line: number): Promise<void> {
  const printed = async (): Promise<void> => {
    for (;;) {
      const missing = missingLine(terminal.output(), lines)
      if (missing === undefined) return
      assert.ok(!terminal.isOver(), `line ${line}: ended, not printed: ${missing}\n${shown(terminal)}`)
      await terminal.heard()
    }
  }
  await withinLimit(terminal, printed(), line)
}

/**
 * Shell command that runs a block in this process group, and kills the group when the pipe to this process breaks, however this process
 * ends. Otherwise the servers of a document would outlive a test run that is killed.
 */
const KILL_WITH_PARENT =
  'exec 3<&0; (cat <&3; kill -9 -$$) >/dev/null 2>&1 & exec sh -e -c "$1" </dev/null 3<&-'

/** A shell reads the block; the first command that fails ends it. */
function open(script: string, { folder, environment, adapt }: Site): Terminal {
  const text = adapt(script)
  const child = spawn('sh', ['-c', KILL_WITH_PARENT, 'sh', text], {
    cwd: folder,
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  // A broken pipe only means that the shell has ended, which its events report.
  child.stdin.on('error', () => undefined)
  child.once('exit', () => child.stdin.destroy())
  // Apart, because curl draws its progress on the other one, in the middle of lines.
  const printed = { stdout: '', stderr: '' }
  let isOver = false
  let tell = Promise.withResolvers<void>()
  const onEvent = (): void => {
    tell.resolve()
    tell = Promise.withResolvers()
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      printed[name] += part
      onEvent()
    })
  }
  const ended = new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('close', (code) => {
      isOver = true
      onEvent()
      done(code)
    })
  })
  return {
    script: text,
    output: () => `${printed.stdout}\n${printed.stderr}`,
    ended,
    heard: () => tell.promise,
    isOver: () => isOver,
    stop: async () => {
      if (isOver) return
      signalGroup(child, 'SIGTERM')
      const limit = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_LIMIT_MS)
      await ended
      clearTimeout(limit)
    },
  }
}

/** A block may start several processes: npm, a shell, the program. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // All of them have just ended.
  }
}

async function withinLimit<Result>(
  terminal: Terminal,
  pending: Promise<Result>,
  line: number,
): Promise<Result> {
  let limit: NodeJS.Timeout | undefined
  const late = new Promise<never>((_done, failed) => {
    limit = setTimeout(
      () => failed(new Error(`line ${line}: took too long\n${shown(terminal)}`)),
      STEP_LIMIT_MS,
    )
  })
  try {
    return await Promise.race([pending, late])
  } catch (error) {
    await terminal.stop()
    throw error
  } finally {
    clearTimeout(limit)
  }
}

function shown({ script, output }: Terminal): string {
  return `$ ${script}\n${output().slice(-SHOWN_CHARACTERS)}`
}
