/**
 * `when: complete` of a listener file: triggers that run for whole runs, and not for each product. Such a listener listens to the
 * notifications of runs, with the event type and the fields that the file has for the products.
 *
 * @module
 */

import * as v from 'valibot'
import type { Fault } from '../faults.ts'
import type { ListenerDefinition } from '../listener_file.ts'
import { EVENT_FIELD, STATE_FIELD } from './run_request.ts'
import { RUN_EVENT } from './run_view.ts'

/** What a file may write, and the states that notifications of runs then have. A run is complete whether it was late or not. */
const STATES = {
  started: ['started'],
  complete: ['complete', 'recovered'],
  late: ['late'],
  recovered: ['recovered'],
  incomplete: ['incomplete'],
} as const
type When = keyof typeof STATES

const names = Object.keys(STATES) as readonly When[]
const message = `must be one of ${names.join(', ')}, or a list of them`
const name = v.picklist(names, message)

/** The schema of `when`. */
export const when = v.optional(
  v.union(
    [
      v.pipe(
        name,
        v.transform((single): When[] => [single]),
      ),
      v.pipe(v.array(name, message), v.minLength(1, 'must not be an empty list')),
    ],
    message,
  ),
)

/** @returns what is wrong with a listener for runs; `undefined`: nothing. */
export function faultOfRuns(event: string, request: ListenerDefinition['request']): Fault | undefined {
  if (event === RUN_EVENT)
    return {
      message: `'when' needs the event type of the products; notifications of ${RUN_EVENT} themselves come without it`,
      path: ['event'],
    }
  const taken = [EVENT_FIELD, STATE_FIELD].find((field) => Object.hasOwn(request, field))
  if (taken === undefined) return undefined
  return { message: `${taken} is said by 'event' and 'when'`, path: ['request', taken] }
}

/** What to listen to for the runs of an event type. */
export function listenerOfRuns(
  event: string,
  request: ListenerDefinition['request'],
  whens: readonly When[],
): Pick<ListenerDefinition, 'event' | 'request' | 'isOfRuns'> {
  const states = [...new Set(whens.flatMap((one) => STATES[one]))]
  return {
    event: RUN_EVENT,
    request: { [EVENT_FIELD]: [event], [STATE_FIELD]: states, ...request },
    isOfRuns: true,
  }
}
