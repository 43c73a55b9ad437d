/**
 * Paths into documents.
 *
 * @module
 */

import type { BaseIssue } from 'valibot'

/** A step into a document: a key of a mapping or an index of a list. */
export type PathStep = string | number

/** The path of a valibot issue, as steps. */
export function issuePath(issue: BaseIssue<unknown>): PathStep[] {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' || typeof key === 'string' ? key : ''))
}
