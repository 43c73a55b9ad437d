/**
 * Other people's readers of metrics: the OpenMetrics parser of Prometheus' Python client (the strictest there is), and `promtool`. Both come from
 * Debian's packages, unpacked into `.cache/prometheus` without root, as etcd is.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url))
const UNPACKED = join(CACHE, 'prometheus')
const PROMTOOL = join(UNPACKED, 'usr', 'bin', 'promtool')
const PROMETHEUS = join(UNPACKED, 'usr', 'bin', 'prometheus')
const PYTHON_PACKAGES = join(UNPACKED, 'usr', 'lib', 'python3', 'dist-packages')
const COMMAND_LIMIT_MS = 120_000

/** Prints `name type samples` of each family; fails with the reason for text that is not OpenMetrics. */
const PARSER = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.buffer.read().decode('utf-8')):
    print(family.name, family.type, len(family.samples))
`

/** What a command did. */
export interface CommandResult {
  readonly code: number | null
  readonly output: string
}

/** The tools. */
export interface PrometheusTools {
  /** Parses OpenMetrics text: `code` 0 and one line per family, or 1 and the reason. */
  parseOpenMetrics(text: string): Promise<CommandResult>
  /** Checks text of the older format, and the names in it. */
  checkMetrics(text: string): Promise<CommandResult>
  /** Runs `promtool` with arguments. */
  promtool(...argv: readonly string[]): Promise<CommandResult>
  /** Path of the Prometheus server. */
  readonly server: string
}

/** Why the tools cannot be had here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export async function prometheusMissing(): Promise<string | false> {
  try {
    await prepare()
    return false
  } catch (error) {
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw error
    return error instanceof Error ? error.message : String(error)
  }
}

/** The tools; the first call on a machine downloads them. */
export async function findPrometheusTools(): Promise<PrometheusTools> {
  await prepare()
  return {
    parseOpenMetrics: (text) => run('python3', ['-c', PARSER], { input: text }),
    checkMetrics: (text) => run(PROMTOOL, ['check', 'metrics'], { input: text }),
    promtool: (...argv) => run(PROMTOOL, argv),
    server: PROMETHEUS,
  }
}

async function prepare(): Promise<void> {
  if (await isThere()) return
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(CACHE, 'prometheus-'))
  try {
    for (const name of ['prometheus', 'python3-prometheus-client']) await download(name, folder)
    for (const name of (await readdir(folder)).filter((entry) => entry.endsWith('.deb'))) {
      const { code, output } = await run('dpkg-deb', ['-x', name, folder], { folder })
      if (code !== 0) throw new Error(output)
      await rm(join(folder, name))
    }
    await rename(folder, UNPACKED).catch(async (error: unknown) => {
      // Another test process was faster.
      if (!(await isThere())) throw error
    })
  } catch (cause) {
    throw new Error('Prometheus and its Python client cannot be downloaded with apt-get here', { cause })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function isThere(): Promise<boolean> {
  return access(PROMTOOL, constants.X_OK).then(
    () => true,
    () => false,
  )
}

async function download(name: string, folder: string): Promise<void> {
  if ((await run('apt-get', ['download', name], { folder })).code === 0) return
  // A fresh machine has no package index.
  await run('apt-get', ['update'], { folder })
  const { code, output } = await run('apt-get', ['download', name], { folder })
  if (code !== 0) throw new Error(output)
}

function run(
  command: string,
  argv: readonly string[],
  { input, folder = CACHE }: { readonly input?: string; readonly folder?: string } = {},
): Promise<CommandResult> {
  return new Promise((done, failed) => {
    const child = spawn(command, argv, {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONPATH: PYTHON_PACKAGES },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_LIMIT_MS)
    child.once('error', (error) => {
      clearTimeout(timer)
      failed(error)
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      done({ code, output })
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
  })
}
