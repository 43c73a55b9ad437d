/**
 * Runs loads by the generator in C, which costs some microseconds a request, so that the server is measured and not the generator. Where no
 * compiler is there, the generator in TypeScript does the same, at several times the cost.
 *
 * @module
 */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { postFromHere } from './generator_here.ts'
import type { Percentiles } from './statistics.ts'

const SOURCE = fileURLToPath(new URL('./generator/load.c', import.meta.url))
const BUILT = fileURLToPath(new URL('../../.cache/bench/', import.meta.url))
/** Requests to post. */
export interface PostLoad {
  readonly path: string
  /** The body of each request, with numbers in the places that the generator's source describes. */
  readonly body: string
  readonly connections: number
  /** Further header lines, each ending in CRLF. */
  readonly headers?: string
  /** The revision that polls begin after. */
  readonly revision?: number
  /** Requests due per second, whether or not answers come. Default: each connection sends the next when it has an answer. */
  readonly ratePerSecond?: number
}

/** What came of a load. */
export interface PostResult {
  readonly count: number
  readonly perSecond: number
  /** From when a request was due to its answer. */
  readonly latencyMs: Percentiles
}

/** The generator in C, built if need be; `undefined` where there is no compiler. */
function builtGenerator(): string | undefined {
  const name = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16)
  const program = join(BUILT, `load-${name}`)
  if (existsSync(program)) return program
  mkdirSync(BUILT, { recursive: true })
  const made = `${program}.${process.pid}`
  const compiled = spawnSync('cc', ['-O2', '-o', made, SOURCE], { encoding: 'utf8' })
  if (compiled.error !== undefined) return undefined
  if (compiled.status !== 0) throw new Error(`The load generator cannot be built: ${compiled.stderr}`)
  renameSync(made, program)
  return program
}

/**
 * Posts loads side by side.
 *
 * @param until Milliseconds, or what ends them.
 * @returns what came of each load, in their order
 * @throws {Error} when an answer was not 200, or did not come: figures of a load with failures mean nothing
 */
export async function runPosts(
  url: string,
  until: number | Promise<unknown>,
  loads: readonly PostLoad[],
): Promise<readonly PostResult[]> {
  const program = builtGenerator()
  if (program === undefined) return Promise.all(loads.map((load) => postFromHere(url, until, load)))
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  try {
    const words = await Promise.all(loads.map((load, index) => toWords(url, folder, load, index)))
    return await runProgram(program, url, until, words)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function toWords(url: string, folder: string, load: PostLoad, index: number): Promise<string> {
  const { path, body, connections, headers = '', ratePerSecond = 0, revision = 0 } = load
  const file = join(folder, `request-${index}`)
  const { host } = new URL(url)
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}Content-Type: application/json\r\n`
  await writeFile(file, `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  const words = { kind: 'post', name: index, connections, file, rate: ratePerSecond, first: revision }
  return Object.entries(words)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
}

async function runProgram(
  program: string,
  url: string,
  until: number | Promise<unknown>,
  words: readonly string[],
): Promise<readonly PostResult[]> {
  const { hostname, port } = new URL(url)
  const seconds = typeof until === 'number' ? until / 1_000 : 0
  const child = spawn(program, [hostname, port, String(seconds), ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (part: Buffer) => (output[name] += part.toString()))
  const ended = new Promise<number | null>((done, failed) => {
    child.once('error', failed)
    child.once('close', done)
  })
  if (typeof until !== 'number') {
    const end = (): void => void child.stdin.end()
    until.then(end, end)
  }
  const status = await ended
  if (status !== 0) throw new Error(`The load failed: ${output.stderr}${output.stdout}`.trim())
  // The last line is about the generator itself.
  return output.stdout
    .trim()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as PostResult)
}
