/**
 * What is wrong with a configuration, for the person who wrote it.
 *
 * @module
 */

import type * as v from 'valibot'

/** @returns one text per problem, such as `dev.port: Invalid value: Expected <=65535 but received 70000` */
export function explain(issues: readonly v.BaseIssue<unknown>[]): readonly string[] {
  return issues.flatMap((issue) => explainAt(issue, []))
}

/**
 * Where a value may have one of several shapes, an issue says only that it has none of them. The shape that was meant is the one whose own
 * issues lie inside the value, and these say what is wrong.
 */
function explainAt(issue: v.BaseIssue<unknown>, above: readonly string[]): readonly string[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => String(key))]
  const inside = (issue.issues ?? []).filter((shape) => shape.path !== undefined)
  if (inside.length > 0) return inside.flatMap((shape) => explainAt(shape, path))
  return [`${path.length === 0 ? '(top level)' : path.join('.')}: ${issue.message}`]
}
