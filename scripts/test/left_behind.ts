/**
 * Ends processes that the tests of a step left behind. A process that holds the runner's output keeps the runner from ending, although all
 * its tests have.
 *
 * @module
 */

import { readdir, readFile } from 'node:fs/promises'
import process from 'node:process'

/** The variable by which the processes of a step are known. No test looks at it. */
export const STEP_MARK = 'TEST_STEP_OF_AVISO'
/** Characters of a command line that are shown. */
const SHOWN_COMMAND = 200

/**
 * Kills the processes of a step, where the system tells of its processes in `/proc`.
 *
 * @param mark The value of {@link STEP_MARK} in their environment.
 * @param runner The process that stays: the step's own.
 * @returns the command lines of the killed processes, each with its number
 */
export async function endLeftBehind(mark: string, runner: number | undefined): Promise<readonly string[]> {
  const ended: string[] = []
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === runner || pid === process.pid) continue
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    if (!environment.split('\0').includes(`${STEP_MARK}=${mark}`)) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    try {
      process.kill(pid, 'SIGKILL')
      ended.push(`${pid} ${command.split('\0').join(' ').trim().slice(0, SHOWN_COMMAND)}`)
    } catch {
      // It has ended by itself meanwhile.
    }
  }
  return ended
}
