/**
 * A Node that a machine may already have: older than what the project brings, perhaps too old to read TypeScript.
 *
 * @module
 */

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { runCommand } from '../../scripts/run_command.ts'
import { findNode22 } from './node22.ts'

/** What `engines` in package.json names. */
const OLDEST_MAJOR = 20
const PROJECT_MAJOR = 22

/** A Node and its version, e.g. `20.20.2`. */
export interface OldNode {
  readonly binary: string
  readonly version: string
}

/** The first Node 20 or 21 on the `PATH`; otherwise Node 22, which is downloaded once. */
export async function findOldNode(): Promise<OldNode> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const binary = join(folder, 'node')
    const version = folder === '' ? undefined : await versionOf(binary)
    const major = Number(version?.split('.')[0])
    if (version !== undefined && major >= OLDEST_MAJOR && major < PROJECT_MAJOR) return { binary, version }
  }
  const binary = await findNode22()
  return { binary, version: (await versionOf(binary)) ?? 'unknown' }
}

async function versionOf(binary: string): Promise<string | undefined> {
  try {
    await access(binary, constants.X_OK)
  } catch {
    return undefined
  }
  const { output } = await runCommand(binary, ['--version'])
  return /^v(\d+\.\d+\.\d+)/.exec(output)?.[1]
}
