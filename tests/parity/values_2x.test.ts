/**
 * Values of 2.x event types, by the numbers of its conformance cases (A, B, G11, K3, K15): `rows_2x/value_rows.ts` has the table. Each value
 * goes through the services: it is published, delivered as it must be, and found by the same text; or it is refused and nothing is stored.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange } from '#shared/bytes/bytes.ts'
import { withAviso2System } from '../support/aviso2_system.ts'
import { VALUE_ROWS, type ValueRow } from './rows_2x/value_rows.ts'

const GEOMETRIES: Readonly<Record<string, string>> = {
  PolygonHandler: 'polygon',
  PointCloudHandler: 'point_cloud',
}

/** Geometries have names of their own. */
function fieldOf({ rule }: ValueRow): string {
  return GEOMETRIES[String(rule['type'])] ?? 'x'
}

/** An event type for each rule. */
function schemaOf(rules: readonly ValueRow['rule'][]): object {
  const events = rules.map((rule, index) => {
    const name = GEOMETRIES[String(rule['type'])] ?? 'x'
    const identifier = { [name]: rule, n: { type: 'IntHandler' } }
    const order = name === 'x' ? ['x', 'n'] : ['n']
    return [`e${index}`, { topic: { base: `e${index}`, key_order: order }, identifier }]
  })
  return { notification_schema: Object.fromEntries(events) as object }
}

function show({ row, given, rule }: ValueRow): string {
  return `${row}: ${String(rule['type'])} ${JSON.stringify(given).slice(0, 60)}`
}

describe('values of 2.x', () => {
  const rules = [...new Set(VALUE_ROWS.map(({ rule }) => rule))]
  const eventOf = ({ rule }: ValueRow): string => `e${rules.indexOf(rule)}`

  it('A1 A2 A3 A5 A7 A9 A11 A12 A13 A14 B1 B3 B10 G11 K3: are delivered in one form, and found by the form that was given', () =>
    withAviso2System(
      async (system) => {
        for (const [n, row] of VALUE_ROWS.entries()) {
          if (row.refused !== undefined) continue
          const event = eventOf(row)
          await system.publish(event, { [fieldOf(row)]: row.given, n })
          const asked = fieldOf(row) === 'point_cloud' ? { n } : { [fieldOf(row)]: row.given, n }
          const [found, ...others] = await system.replay(event, asked)
          assert.deepEqual(found?.data.identifier[fieldOf(row)], row.delivered, show(row))
          assert.equal(others.length, 0, show(row))
        }
      },
      [schemaOf(rules)],
    ))

  it('A4 A6 A8 A10 A11 A12 A13 A15 A16 A17 A19 G11 K15: are refused with their place, and nothing is stored', () =>
    withAviso2System(
      async (system) => {
        const wrong: string[] = []
        for (const row of VALUE_ROWS) {
          if (row.refused === undefined) continue
          const body = { event_type: eventOf(row), identifier: { [fieldOf(row)]: row.given, n: 1 } }
          const { status, body: told } = await system.post('/api/v1/notification', body)
          const got = `${status} ${String(told['code'])} ${String(told['field'])}: ${String(told['message'])}`
          const isRight =
            got.startsWith(`400 INVALID_NOTIFICATION_REQUEST ${fieldOf(row)}: `) &&
            row.refused.test(String(told['message']))
          if (!isRight) wrong.push(`${show(row)} → ${got.slice(0, 200)}`)
        }
        assert.deepEqual(wrong, [])
        const { count } = await system.store.range({ ...prefixRange('/aviso2/'), countOnly: true })
        assert.equal(count, 0n)
      },
      [schemaOf(rules)],
    ))

  it('B2 B7: what others wrote under keys that no value has is not delivered, and streams go on', () =>
    withAviso2System(
      async (system) => {
        const text = new TextEncoder()
        const put = (key: string) =>
          ({ kind: 'put', key: text.encode(key), value: text.encode('x') }) as const
        for (const tail of ['%/1', '%2/1', '%2G/1', 'abc%ZZ/1', 'a/b/1', 'a', 'a%2fb/1'])
          await system.store.txn({ compare: [], success: [put(`/aviso2/things/${tail}`)] })
        await system.publish('things', { x: 'a', n: 1 })
        const found = await system.replay('things', { x: '*' })
        assert.deepEqual(
          found.map(({ data }) => data.identifier),
          [{ x: 'a', n: '1' }],
        )
      },
      [
        {
          notification_schema: {
            things: {
              topic: { base: 'things', key_order: ['x', 'n'] },
              identifier: { x: { type: 'StringHandler', required: true }, n: { type: 'IntHandler' } },
            },
          },
        },
      ],
    ))

  it('D16: a body that is too large is refused as JSON, and nothing is stored', () =>
    withAviso2System(
      async (system) => {
        // A polygon of a hundred thousand points is such a body, too.
        const polygon = Array.from({ length: 100_000 }, () => [1.5, 1.5])
        for (const body of [
          { event_type: 'e0', identifier: { x: 'a', n: 1 }, payload: 'x'.repeat(300_000) },
          { event_type: 'e0', identifier: { polygon, n: 1 } },
        ]) {
          const { status, body: told } = await system.post('/api/v1/notification', body)
          assert.equal(status, 413)
          assert.match(String(told['message']), /must not be larger than \d+ bytes/)
          assert.equal(typeof told['request_id'], 'string')
        }
        const { count } = await system.store.range({ ...prefixRange('/aviso2/'), countOnly: true })
        assert.equal(count, 0n)
      },
      [schemaOf([{ type: 'StringHandler' }])],
    ))

  it('A18: points are read in the forms of 2.x, and others refused', () =>
    withAviso2System(
      async (system) => {
        const polygon = '52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4'
        await system.publish('places', { n: 1, polygon })
        for (const point of ['52.5,13.5', '(52.5,13.5)', [52.5, 13.5]])
          assert.equal((await system.replay('places', { point })).length, 1, JSON.stringify(point))
        for (const point of ['52.55', 'a,b', '91,0', '1,2,3', [91, 0], [1, 2, 3], ['a', 'b']])
          assert.equal((await system.refuse('places', { point }))['code'], 'INVALID_REPLAY_REQUEST')
      },
      [
        {
          notification_schema: {
            places: {
              topic: { base: 'places', key_order: ['n'] },
              identifier: { n: { type: 'IntHandler' }, polygon: { type: 'PolygonHandler', required: true } },
            },
          },
        },
      ],
    ))
})
