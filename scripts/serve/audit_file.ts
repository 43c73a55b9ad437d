/**
 * The audit log as a file of its own.
 *
 * @module
 */

import { appendFile } from 'node:fs/promises'
import type { AuditSink } from '#shared/audit/audit.ts'

/** Nobody but its owner reads who did what. */
const MODE = 0o600

/** Appends to a file. It is opened anew for each write, so that it can be moved away at any time. */
export function createAuditFile(path: string): AuditSink {
  return (lines) => appendFile(path, lines, { mode: MODE })
}
