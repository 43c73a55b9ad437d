/** Schemas in the form of aviso 2.x: those that its own tests use, as far as they have no geometry. */

import { createSchemas, type Schemas } from '#shared/notification/schema.ts'

const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz')

const MARS_FIELDS = {
  class: { type: 'StringHandler', max_length: 2, required: false, description: 'The class of the data' },
  expver: { type: 'ExpverHandler', default: '0001', required: true },
  domain: { type: 'EnumHandler', values: LETTERS, required: true },
  date: { type: 'DateHandler', canonical_format: '%Y%m%d', required: true },
  time: { type: 'TimeHandler', required: true },
  stream: { type: 'StringHandler', required: true },
  step: { type: 'IntHandler', range: [0, 100_000], required: true },
} as const

/** `mars`, `dissemination` and `extreme`. */
export const AVISO2 = {
  notification_schema: {
    mars: {
      topic: { base: 'mars', key_order: ['class', 'expver', 'domain', 'date', 'time', 'stream', 'step'] },
      identifier: MARS_FIELDS,
      payload: { required: false },
    },
    dissemination: {
      topic: {
        base: 'diss',
        key_order: ['destination', 'target', 'class', 'expver', 'domain', 'date', 'time', 'stream', 'step'],
      },
      identifier: {
        destination: { type: 'StringHandler', required: true },
        target: { type: 'StringHandler', required: false },
        ...MARS_FIELDS,
      },
      payload: { required: true },
    },
    extreme: {
      topic: { base: 'extreme', key_order: ['region', 'run_time', 'severity', 'anomaly'] },
      identifier: {
        region: { type: 'EnumHandler', values: ['north', 'south', 'east', 'west'], required: false },
        run_time: { type: 'TimeHandler', required: false },
        severity: { type: 'IntHandler', range: [1, 7], required: false },
        anomaly: { type: 'FloatHandler', range: [0, 200], required: false },
      },
      payload: { required: false },
    },
  },
} as const

/** A notification of `mars`. */
export const MARS2 = {
  class: 'od',
  expver: '0001',
  domain: 'g',
  date: '20260706',
  time: '0600',
  stream: 'enfo',
  step: '12',
} as const

export function createAviso2Schemas(): Schemas {
  return createSchemas([{ source: 'aviso2', content: AVISO2 }])
}

/** A schema with one event type `things`, whose fields are these. */
export function thingsOf(identifier: object, extra: object = {}): object {
  return {
    notification_schema: {
      things: { topic: { base: 'things', key_order: Object.keys(identifier) }, identifier, ...extra },
    },
  }
}
