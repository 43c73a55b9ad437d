/**
 * The fields that name the runs of each event type, as configured.
 *
 * @module
 */

import type { RunFields } from './run_schema.ts'
import type { RunsSettings } from './settings.ts'

/** Those of the expectations that are shipped. */
const SHIPPED: Readonly<Record<string, readonly string[]>> = {
  mars: ['class', 'stream', 'expver', 'date', 'time'],
  dissemination: ['destination', 'class', 'stream', 'expver', 'date', 'time'],
}

/** Event types whose expectation does not say so are left out; the configuration is checked elsewhere. */
export function runFieldsOf(settings: RunsSettings): RunFields {
  return new Map(
    Object.entries(settings).flatMap(([event, expectation]): [string, readonly string[]][] => {
      const own = expectation === true ? undefined : expectation['run']
      const fields = isTexts(own) ? own : SHIPPED[event]
      return fields === undefined ? [] : [[event, fields]]
    }),
  )
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
