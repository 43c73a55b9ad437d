/**
 * Builds the generator in C, hands it loads, and reads what it prints.
 *
 * @module
 */

import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { LoadPlan, LoadResult, LoadRun, PostLoad, WireLoad } from './generator.ts'
import { NO_SAMPLES } from './statistics.ts'

const SOURCE = fileURLToPath(new URL('./generator/load.c', import.meta.url))
const BUILT = fileURLToPath(new URL('../../.cache/bench/', import.meta.url))

/** The generator in C, built if need be; `undefined` where there is no compiler. */
export function builtGenerator(): string | undefined {
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

/** Writes the files of a load. @returns the argument that describes it to the generator */
export async function writeLoad(
  folder: string,
  load: WireLoad & Pick<PostLoad, 'revision'>,
  index: number,
): Promise<string> {
  const { isListen, protocol, connections, request, hello, ready, ratePerSecond, requests, perRequest } = load
  const file = join(folder, `request-${index}`)
  await writeFile(file, request)
  const helloFile = hello === undefined ? undefined : join(folder, `hello-${index}`)
  if (helloFile !== undefined && hello !== undefined) await writeFile(helloFile, hello)
  const words = {
    kind: isListen ? 'listen' : 'post',
    name: index,
    connections,
    file,
    protocol,
    hello: helloFile,
    ready: ready === undefined ? undefined : Buffer.from(ready).toString('hex'),
    rate: ratePerSecond,
    requests,
    per: perRequest,
    modulo: load.modulo,
    first: load.revision,
    tag: load.tag,
    timed: load.timed,
    expect: load.expect,
    after: load.after,
    sparse: load.isSparse === true ? 1 : undefined,
  }
  return Object.entries(words)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
}

/** A line of the generator's output. */
type Line =
  | { readonly open: number }
  | { readonly cpuSeconds: number }
  | (Omit<LoadResult, 'latencyMs'> & Partial<Pick<LoadResult, 'latencyMs'>>)

type Generator = ChildProcessByStdio<Writable, Readable, Readable>

/** Runs the generator. @throws {Error} When a load failed; the message has the generator's output. */
export async function runProgram(
  program: string,
  url: string,
  plan: LoadPlan,
  words: readonly string[],
): Promise<LoadRun> {
  const { hostname, port } = new URL(url)
  const seconds = typeof plan.until === 'number' ? plan.until / 1_000 : 0
  const child = spawn(program, [hostname, port, String(seconds), ...words], { stdio: 'pipe' })
  // A generator that has failed reads no more; its exit tells why.
  child.stdin.on('error', () => undefined)
  let output = ''
  child.stderr.on('data', (part: Buffer) => (output += part.toString()))
  const results: LoadResult[] = []
  let generatorSeconds = 0
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  const take = async (line: string): Promise<void> => {
    output += `${line}\n`
    const told = JSON.parse(line) as Line
    if ('open' in told) return onOpen(child, plan)
    if ('count' in told) results.push({ latencyMs: NO_SAMPLES, ...told })
    else generatorSeconds = told.cpuSeconds
    if ('cpuSeconds' in told) await settle(child, plan)
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    take(line).catch((error: unknown) => {
      reject(error)
      child.kill('SIGKILL')
    })
  })
  if (typeof plan.until !== 'number') {
    const end = (): void => void child.stdin.end()
    plan.until.then(end, end)
  }
  const status = await ended
  if (status !== 0) throw new Error(`The load failed: ${output}`.trim())
  const each = results.reduce((sum, { count }) => sum + count, 0)
  return { results, ownMicros: (generatorSeconds * 1e6) / each }
}

async function onOpen({ stdin }: Generator, { onOpen: use }: LoadPlan): Promise<void> {
  await use?.()
  stdin.write('\n')
}

async function settle({ stdin }: Generator, { onSettled: use }: LoadPlan): Promise<void> {
  await use?.()
  stdin.end()
}
