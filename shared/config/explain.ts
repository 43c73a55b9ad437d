/**
 * Explains what is wrong with a configuration to the operator who wrote it.
 *
 * @module
 */

import type * as v from 'valibot'

/** @returns one text per problem, such as `dev.port: Invalid value: Expected <=65535 but received 70000` */
export function explain(issues: readonly v.BaseIssue<unknown>[]): readonly string[] {
  return issues.flatMap((issue) => explainAt(issue, []))
}

/**
 * Explains an issue. When a value may have one of several shapes, the issue itself says only that the value has none of them. The operator
 * meant the shape whose own issues lie inside the value, so those are explained.
 */
function explainAt(issue: v.BaseIssue<unknown>, above: readonly string[]): readonly string[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => String(key))]
  const inside = (issue.issues ?? []).filter((shape) => shape.path !== undefined)
  if (inside.length > 0) return inside.flatMap((shape) => explainAt(shape, path))
  return [`${path.length === 0 ? '(top level)' : path.join('.')}: ${issue.message}`]
}
