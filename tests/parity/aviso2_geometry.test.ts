/**
 * Conformance with Aviso 2.x of event types that have a geometry: how it is stored, found and delivered. What a geometry is, and which
 * meet, `shared/geometry` knows; here they are boxes.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange } from '#shared/bytes/bytes.ts'
import { withAviso2System, type Aviso2System } from '../support/aviso2_system.ts'
import { FLAT_GEOMETRIES } from '../support/flat_geometry.ts'

describe('event types with a geometry', () => {
  const fields = {
    date: { type: 'DateHandler', canonical_format: '%Y%m%d', required: false },
    time: { type: 'TimeHandler', required: false },
  }
  const schema = {
    notification_schema: {
      test_polygon: {
        topic: { base: 'polygon', key_order: ['date', 'time'] },
        identifier: { ...fields, polygon: { type: 'PolygonHandler', required: true } },
        payload: { required: true },
      },
      test_cloud: {
        topic: { base: 'cloud', key_order: ['date', 'time'] },
        identifier: { ...fields, point_cloud: { type: 'PointCloudHandler', max_points: 3, required: true } },
      },
    },
  }
  const at = { date: '2026-07-06', time: '06' }
  const A = '(52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4)'
  const A_PAIRS = [
    [52.5, 13.4],
    [52.6, 13.5],
    [52.5, 13.6],
    [52.4, 13.5],
    [52.5, 13.4],
  ]
  const B_PAIRS = [
    [1, 1],
    [1, 2],
    [2, 2],
    [1, 1],
  ]
  const NEAR_A = '52.55,13.45,52.55,20,60,20,52.55,13.45'

  const withGeometries = (use: (system: Aviso2System) => Promise<void>): Promise<void> =>
    withAviso2System(use, [schema], FLAT_GEOMETRIES)

  it('K3, K4: come back as JSON arrays, whatever their form, one key for each', async () => {
    await withGeometries(async (system) => {
      await system.publish('test_polygon', { ...at, polygon: A }, 'a')
      await system.publish('test_polygon', { ...at, polygon: B_PAIRS }, 'b')
      const found = await system.replay('test_polygon', { polygon: '*' })
      const canonical = { date: '20260706', time: '0600' }
      assert.deepEqual(
        found.map(({ data }) => data.identifier),
        [
          { ...canonical, polygon: A_PAIRS },
          { ...canonical, polygon: B_PAIRS },
        ],
      )
      const { kvs } = await system.store.range(prefixRange('/aviso2/polygon/2'))
      assert.equal(kvs.length, 2)
    })
  })

  it('are found by polygon and by point, in every form', async () => {
    await withGeometries(async (system) => {
      await system.publish('test_polygon', { ...at, polygon: A }, 'a')
      await system.publish('test_polygon', { ...at, polygon: B_PAIRS }, 'b')
      const payloads = async (identifier: object): Promise<unknown[]> =>
        (await system.replay('test_polygon', identifier)).map(({ data }) => data.payload)
      assert.deepEqual(await payloads({ polygon: NEAR_A }), ['a'])
      assert.deepEqual(await payloads({ polygon: A_PAIRS, time: '6:00' }), ['a'])
      assert.deepEqual(await payloads({ polygon: A_PAIRS, time: '7' }), [])
      assert.deepEqual(await payloads({ point: '1.5,1.5' }), ['b'])
      assert.deepEqual(await payloads({ point: [1.5, 1.5] }), ['b'])
      assert.deepEqual(await payloads({ point: [80, 80] }), [])
    })
  })

  it('K16: point clouds are found by polygon', async () => {
    await withGeometries(async (system) => {
      await system.publish('test_cloud', {
        ...at,
        point_cloud: [
          [52.55, 13.5],
          [0, 0],
        ],
      })
      assert.equal((await system.replay('test_cloud', { polygon: A })).length, 1)
      const [found] = await system.replay('test_cloud', { polygon: '*' })
      assert.deepEqual(found?.data.identifier['point_cloud'], [
        [52.55, 13.5],
        [0, 0],
      ])
      assert.equal(
        (
          await system.replay('test_cloud', {
            polygon: [
              [80, 80],
              [80, 81],
              [81, 81],
              [80, 80],
            ],
          })
        ).length,
        0,
      )
    })
  })

  it('are refused where they are none, or asked for twice', async () => {
    await withGeometries(async (system) => {
      const publish = async (event_type: string, identifier: object): Promise<unknown> => {
        const body = { event_type, identifier, payload: 'x' }
        const answer = await system.post('/api/v1/notification', body)
        assert.equal(answer.status, 400)
        assert.equal(answer.body['code'], 'INVALID_NOTIFICATION_REQUEST')
        return answer.body['message']
      }
      assert.match(String(await publish('test_polygon', { ...at, polygon: '(1,2,3,4)' })), /valid polygon/)
      assert.match(String(await publish('test_polygon', at)), /^Required field 'polygon' missing/)
      const cloud = {
        ...at,
        point_cloud: [
          [1, 1],
          [2, 2],
          [3, 3],
          [4, 4],
        ],
      }
      assert.match(String(await publish('test_cloud', cloud)), /must be a point cloud/)
      const both = await system.refuse('test_polygon', { polygon: A, point: '1,1' })
      assert.match(String(both['message']), /cannot be used together/)
      assert.match(
        String((await system.refuse('test_polygon', {}))['message']),
        /^Required field 'polygon' missing/,
      )
      assert.match(
        String((await system.refuse('test_cloud', { point_cloud: '[[1,1]]' }))['message']),
        /^Unknown field 'point_cloud'/,
      )
      assert.match(
        String((await system.refuse('test_polygon', { polygon: '1,2' }))['message']),
        /valid polygon/,
      )
    })
  })
})
