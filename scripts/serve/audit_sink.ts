/**
 * Opens the destination of the audit log: a separate file, or standard output, which containers collect. All other records go to standard
 * error.
 *
 * @module
 */

import { appendFile } from 'node:fs/promises'
import process from 'node:process'
import type { AuditSink } from '#shared/access/audit/audit.ts'
import { AvisoError } from '#shared/errors.ts'

/** Only the owner of the file may read the audit log. */
const MODE = 0o600
const STANDARD_OUTPUT = '-'

/**
 * Appends to the file at `path`; `-` is standard output. The file is opened again for each write, so that it can be moved away at any time.
 *
 * @throws {AvisoError} `ERR_CONFIG` when the file cannot be written, so that the start fails and not the first record.
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

/** Writes to standard output. Settles when the reader has taken the lines, so that a slow or closed reader is noticed. */
function print(lines: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(lines, (error) => (error instanceof Error ? reject(error) : resolve()))
  })
}
