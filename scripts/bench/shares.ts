/**
 * Gives processes fixed shares of a processor, through the control groups of Linux, version 2 or 1. So work on several processors can be
 * measured where there are few: each process gets a part of one, and what measures it has the rest.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

/** Time in which a process uses up its share. Short, so that it waits for milliseconds. The kernel allows no less than 1 ms of use in it. */
const PERIOD_MICROS = 10_000
/** Times the weight of other processes, so that these do not keep one from its share. */
const WEIGHT = 20
/** Kernels remove a group a moment after its last process has ended. */
const REMOVE_TRIES = 50
const REMOVE_WAIT_MS = 20

/** A version of control groups. */
interface Version {
  /** Where groups are made. */
  readonly root: string
  /** Its name in `/proc/PID/cgroup`. */
  readonly controller: string
  /** The file that only a group has which can be limited. */
  readonly file: string
  /** What to write into which file. @param micros Use in each period; absent: no limit. */
  limit(micros: number | undefined): Readonly<Record<string, string>>
  readonly weight: Readonly<Record<string, string>>
}

const VERSIONS: readonly Version[] = [
  {
    root: '/sys/fs/cgroup',
    controller: '',
    file: 'cpu.max',
    limit: (micros) => ({ 'cpu.max': `${micros ?? 'max'} ${PERIOD_MICROS}` }),
    weight: { 'cpu.weight': String(WEIGHT * 100) },
  },
  {
    root: '/sys/fs/cgroup/cpu',
    controller: 'cpu',
    file: 'cpu.cfs_quota_us',
    limit: (micros = -1) => ({
      'cpu.cfs_period_us': String(PERIOD_MICROS),
      'cpu.cfs_quota_us': String(micros),
    }),
    weight: { 'cpu.shares': String(WEIGHT * 1024) },
  },
]

/** The share of one process with all its threads. */
export interface Share {
  readonly pid: number
  /** @param share Of one processor, such as 0.3; absent: as much as there is. */
  limit(share?: number): void
  /** Removes the group, whose process has ended. */
  remove(): Promise<void>
}

let groups = 0

/** Puts a process into a group of its own, without a limit. @returns `undefined` where there is no right to */
export function createShare(pid: number): Share | undefined {
  for (const version of VERSIONS) {
    const folder = join(version.root, `aviso-bench-${process.pid}-${++groups}`)
    if (!makeGroup(folder, version)) continue
    const limit = (share?: number): void => {
      const micros = share === undefined ? undefined : Math.round(share * PERIOD_MICROS)
      for (const [file, text] of Object.entries(version.limit(micros)))
        writeFileSync(join(folder, file), text)
    }
    try {
      for (const [file, text] of Object.entries(version.weight)) writeFileSync(join(folder, file), text)
      limit()
      writeFileSync(join(folder, 'cgroup.procs'), String(pid))
    } catch {
      rmdirSync(folder)
      continue
    }
    return { pid, limit, remove: () => removeGroup(folder) }
  }
  return undefined
}

/** Whether processes can be given shares here. */
export async function canShare(): Promise<boolean> {
  // A group of no process is enough to know; the number 0 would put this process into it.
  for (const version of VERSIONS) {
    const folder = join(version.root, `aviso-bench-${process.pid}-probe`)
    if (!makeGroup(folder, version)) continue
    await removeGroup(folder)
    return true
  }
  return false
}

function makeGroup(folder: string, { root, file }: Version): boolean {
  if (!existsSync(join(root, 'cgroup.procs'))) return false
  try {
    mkdirSync(folder)
  } catch {
    return false
  }
  if (existsSync(join(folder, file))) return true
  rmdirSync(folder)
  return false
}

async function removeGroup(folder: string): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return rmdirSync(folder)
    } catch (error) {
      if (tried === REMOVE_TRIES) throw error
      await new Promise((next) => setTimeout(next, REMOVE_WAIT_MS))
    }
  }
}

/** Runs `use` with the weight of {@link WEIGHT} for this process and those that it starts meanwhile, which have to end before it. */
export async function withWeight<Result>(use: () => Promise<Result>): Promise<Result> {
  const before = groupOf(process.pid)
  const share = createShare(process.pid)
  if (share === undefined) return use()
  try {
    return await use()
  } finally {
    writeFileSync(join(before, 'cgroup.procs'), String(process.pid))
    await share.remove()
  }
}

/** Folder of the group that a process is in. */
function groupOf(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n')
  for (const { root, controller } of VERSIONS) {
    if (!existsSync(join(root, 'cgroup.procs'))) continue
    const line = lines
      .map((text) => text.split(':'))
      .find(([, name]) => name?.split(',').includes(controller))
    if (line !== undefined) return join(root, line[2] ?? '/')
  }
  return VERSIONS[0]?.root ?? ''
}

/** Processes that a process has started and that run. */
export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}
