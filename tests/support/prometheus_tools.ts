/**
 * Other people's readers of metrics: the OpenMetrics parser of Prometheus' Python client (the strictest there is), and `promtool`. Both come from
 * Debian's packages, unpacked into `.cache/prometheus` without root, as etcd is.
 *
 * @module
 */

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from '../../scripts/debian_packages.ts'
import { runCommand, type CommandResult } from '../../scripts/run_command.ts'
import { missing } from './missing.ts'

const UNPACKED = fileURLToPath(new URL('../../.cache/prometheus', import.meta.url))
const PROMTOOL = join(UNPACKED, 'usr', 'bin', 'promtool')
const PROMETHEUS = join(UNPACKED, 'usr', 'bin', 'prometheus')
const PYTHON_PACKAGES = join(UNPACKED, 'usr', 'lib', 'python3', 'dist-packages')

/** Prints `name type samples` of each family; fails with the reason for text that is not OpenMetrics. */
const PARSER = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.buffer.read().decode('utf-8')):
    print(family.name, family.type, len(family.samples))
`

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
export function prometheusMissing(): Promise<string | false> {
  return missing(prepare)
}

/** The tools; the first call on a machine downloads them. */
export async function findPrometheusTools(): Promise<PrometheusTools> {
  await prepare()
  return {
    parseOpenMetrics: (text) => run('python3', ['-c', PARSER], text),
    checkMetrics: (text) => run(PROMTOOL, ['check', 'metrics'], text),
    promtool: (...argv) => run(PROMTOOL, argv),
    server: PROMETHEUS,
  }
}

async function prepare(): Promise<void> {
  if (await isThere()) return
  try {
    await unpackPackages({ needed: ['prometheus', 'python3-prometheus-client'] }, UNPACKED)
    if (!(await isThere())) throw new Error(`${PROMTOOL} is not an executable file`)
  } catch (cause) {
    throw new Error('Prometheus and its Python client cannot be downloaded with apt-get here', { cause })
  }
}

async function isThere(): Promise<boolean> {
  return access(PROMTOOL, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function run(command: string, argv: readonly string[], input = ''): Promise<CommandResult> {
  return runCommand(command, argv, { input, environment: { PYTHONPATH: PYTHON_PACKAGES } })
}
