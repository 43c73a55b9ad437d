/**
 * Configurations of 2.x with which the services must not start, by the numbers of its conformance cases (A20, B8, B9, H17, J10, K1, K2, K5,
 * K6, K14) and the bad input: `rows_2x/config_rows.ts` has the table. And those that must start.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { parseSchemaFile2 } from '#shared/notification/aviso2/schema_file.ts'
import { importText, whyRefused } from '../support/imported_2x.ts'
import { CONFIG_ROWS } from './rows_2x/config_rows.ts'

describe('configurations of 2.x that are refused', () => {
  it('A20 B8 B9 H17 J10 K1 K2 K5 K6 K14: with the place and what to do', () => {
    const wrong = CONFIG_ROWS.flatMap(({ row, what, text, refused }) => {
      const reasons = whyRefused(text)
      return reasons.some((reason) => refused.test(reason)) ? [] : [`${row} ${what} → ${reasons.join('; ')}`]
    })
    assert.deepEqual(wrong, [])
  })
})

describe('durations and sizes', () => {
  it('J10: have the units of 2.x', () => {
    const policyOf = (policy: object): unknown => {
      const rule = { topic: { base: 'a', key_order: ['x'] }, identifier: { x: { type: 'StringHandler' } } }
      const content = { notification_schema: { a: { ...rule, storage_policy: policy } } }
      return parseSchemaFile2({ source: 'f', content }).definitions[0]?.storage
    }
    const seconds = (text: string): unknown => ({ text, storage: policyOf({ retention_time: text }) })
    for (const [text, value] of [
      ['1w', 604_800],
      ['7d', 604_800],
      ['36h', 129_600],
      ['5m', 300],
      ['10s', 10],
    ] as const)
      assert.deepEqual(seconds(text), { text, storage: { ageMs: value * 1_000 } })
    for (const [text, bytes] of [
      ['100Ki', 102_400],
      ['1K', 1_000],
      ['64Mi', 67_108_864],
      ['2Gi', 2_147_483_648],
    ] as const)
      assert.deepEqual(policyOf({ max_size: text }), { bytes }, text)
  })
})

describe('configurations of 2.x that start', () => {
  it('J11: a storage policy with the backend in memory, which keeps to it here', () => {
    const text = `
application: { host: 127.0.0.1, port: 8000 }
notification_backend: { kind: in_memory }
notification_schema:
  a:
    topic: { base: a, key_order: [x] }
    identifier: { x: { type: StringHandler } }
    storage_policy: { retention_time: 7d, max_messages: 5000, max_size: 64Mi, allow_duplicates: true, compression: true }
`
    assert.deepEqual(whyRefused(text), [])
    const { config } = importText(text)
    assert.match(JSON.stringify(config), /"embedded:memory"/)
  })
})
