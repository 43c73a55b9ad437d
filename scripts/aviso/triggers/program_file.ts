/**
 * Looks for the program of a command before the client listens, as the system does when it starts it.
 *
 * @module
 */

import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'
import { ClientError } from '#shared/client/client_error.ts'

/** Where a program is looked for. */
export interface ProgramPlace {
  /** Working folder of the command; absent: the client's own. */
  readonly folder: string | undefined
  /** The command's `PATH`; absent: the system's own default, which is not known here. */
  readonly path: string | undefined
}

/** @throws {ClientError} when there is no such program, or it may not be run. */
export function requireProgram(program: string, { folder = '.', path }: ProgramPlace): void {
  // Windows tries several endings.
  if (delimiter !== ':') return
  if (program.includes('/')) return requireExecutable(program, resolve(folder, program))
  if (path === undefined) return
  if (path.split(delimiter).some((each) => isExecutable(resolve(folder, each, program)))) return
  throw new ClientError(`there is no program ${program} in the folders of PATH`)
}

function requireExecutable(program: string, file: string): void {
  if (isExecutable(file)) return
  const found = statSync(file, { throwIfNoEntry: false })
  throw new ClientError(
    found?.isFile() === true
      ? `${program} may not be run: make it executable (chmod +x)`
      : `there is no program ${program}`,
  )
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
