/**
 * Where the audit log goes: a file of its own, or standard output, which containers collect (everything else is logged to standard error).
 *
 * @module
 */

import { appendFile } from 'node:fs/promises'
import process from 'node:process'
import type { AuditSink } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'

/** Nobody but its owner reads who did what. */
const MODE = 0o600
const STANDARD_OUTPUT = '-'

/**
 * Appends to the file at `path`; `-` is standard output. A file is opened anew for each write, so that it can be moved away at any time.
 *
 * @throws {AvisoError} `ERR_CONFIG` for a file that cannot be written: better before the first record than at it.
 */
export async function openAuditSink(path: string): Promise<AuditSink> {
  if (path === STANDARD_OUTPUT) return print
  const append: AuditSink = (lines) => appendFile(path, lines, { mode: MODE })
  try {
    await append('')
  } catch (cause) {
    throw new AvisoError('ERR_CONFIG', `Cannot write the audit log "${path}" (vars.audit.file)`, { cause })
  }
  return append
}

/** Settles when the reader has taken the lines: one that is gone or slow shows. */
function print(lines: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(lines, (error) => (error instanceof Error ? reject(error) : resolve()))
  })
}
