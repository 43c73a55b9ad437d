/**
 * The commands of `aviso` that are programs of their own, beside those of the client: `serve`, `build`, `health`, `demo`,
 * `etcd`. They are loaded when they are called, because loading takes longer than most commands take to run.
 *
 * @module
 */

import type { Command } from 'commander'
import { CALL } from './released.ts'

/** A program of its own. */
interface OwnProgram {
  readonly description: string
  /** Its arguments and flags. @param call How it is called, for its usage text. */
  define(call: string): Promise<Command>
  /** Runs it. @returns the exit code */
  run(argv: readonly string[], call: string): Promise<number>
}

const PROGRAMS: Readonly<Record<string, OwnProgram>> = {
  serve: {
    description: 'run the services',
    define: async (call) => (await import('./serve/options.ts')).createServeProgram('Node, Deno, Bun', call),
    run: async (argv, call) => (await import('./serve.ts')).serve(argv, call),
  },
  health: {
    description: 'ask services whether they can take requests, for health checks',
    define: async (call) => (await import('./health.ts')).createHealthProgram(call),
    run: async (argv, call) => (await import('./health.ts')).health(argv, call),
  },
  build: {
    description: 'make what wrangler deploys',
    define: async (call) => (await import('./build.ts')).createBuildProgram(call),
    run: async (argv, call) => (await import('./build.ts')).build(argv, call),
  },
  demo: {
    description: 'post one forecast run to services of its own, and check what each listener got',
    define: async (call) => (await import('./demo.ts')).createDemoProgram(call),
    run: async (argv, call) => (await import('./demo.ts')).demo(argv, call),
  },
  etcd: {
    description: 'run a real etcd on this machine, for development',
    define: async (call) => (await import('./etcd.ts')).createEtcdProgram(call),
    run: async (argv, call) => (await import('./etcd.ts')).etcd(argv, call),
  },
}

/**
 * Finds the program that a command line calls.
 *
 * @param argv Words behind `aviso`.
 * @returns what runs it, with its exit code; `undefined`: the client has to know the command.
 */
export function findProgram(argv: readonly string[]): (() => Promise<number>) | undefined {
  const [first = '', second = ''] = argv
  const isHelp = first === 'help'
  const name = isHelp ? second : first
  const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined
  return program && (() => program.run(isHelp ? ['--help'] : argv.slice(1), callOf(name)))
}

/** Adds the names of these programs to the client's, so that its help has them. */
export function nameProgramsIn(client: Command): Command {
  for (const [name, { description }] of Object.entries(PROGRAMS))
    client.command(name).description(description)
  return client
}

/** Adds these programs with their flags to the client's, so that shells complete them. */
export async function defineProgramsIn(client: Command): Promise<Command> {
  for (const [name, { description, define }] of Object.entries(PROGRAMS))
    client.addCommand((await define(callOf(name))).name(name).description(description))
  return client
}

function callOf(name: string): string {
  return `${CALL} ${name}`
}
