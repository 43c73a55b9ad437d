/**
 * The tracker of `shared/runs` as the simulation uses it: expectations as shipped, and an event type of our own for members.
 *
 * @module
 */

import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { parseExpectations } from '#shared/runs/parse_expectations.ts'
import { createTracker } from '#shared/runs/tracker.ts'
import type { TrackerLimits } from '#shared/runs/runs.ts'
import type { OpenTracker } from './port.ts'

const ENSEMBLE = {
  source: 'ensemble.json',
  content: {
    version: 0.1,
    payload: 'location',
    ensemble: {
      endpoint: [
        {
          engine: ['etcd_rest', 'etcd_grpc'],
          base: '/ec/ensemble',
          stem: 'date={date},class={class},expver={expver},domain={domain},time={time},stream={stream},step={step},number={number}',
        },
      ],
      request: {
        class: [{ type: 'EnumHandler', values: ['od'] }],
        expver: [{ type: 'IntHandler', canonic: '{0:0>4}' }],
        domain: [{ type: 'EnumHandler', default: 'g', values: ['g'] }],
        date: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
        time: [{ type: 'TimeHandler', canonic: '{0:0>2}', values: [0, 6, 12, 18] }],
        stream: [{ type: 'EnumHandler', values: ['enfo'] }],
        step: [{ type: 'IntHandler', range: [0, 100_000] }],
        number: [{ type: 'IntHandler', range: [0, 100] }],
      },
    },
  },
}

const RUNS = {
  mars: true,
  dissemination: true,
  ensemble: {
    run: ['class', 'stream', 'expver', 'date', 'time'],
    product: ['step', 'number'],
    nominal: { date: 'date', time: 'time' },
  },
}

/** Opens the real tracker. @param limits Where they differ from what is usual. */
export function openRealTracker(limits: Partial<TrackerLimits> = {}): OpenTracker {
  const expectations = parseExpectations(RUNS, createBuiltinSchemas(ENSEMBLE), 'the simulation')
  return (from) =>
    'since' in from
      ? createTracker({ expectations, limits, bookmark: { since: from.since, events: {} } })
      : createTracker({ expectations, limits, stored: from.stored, bookmark: from.bookmark })
}
