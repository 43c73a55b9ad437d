/**
 * Conformance with Aviso 2.x of event types that have a geometry: how it is read, stored, found and delivered.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { prefixRange } from '#shared/bytes/bytes.ts'
import { withAviso2System, type Aviso2System } from '../support/aviso2_system.ts'

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
      test_cloud_large: {
        topic: { base: 'cloud_large', key_order: ['date', 'time'] },
        identifier: { ...fields, point_cloud: { type: 'PointCloudHandler', required: true } },
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
    withAviso2System(use, [schema])

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
      assert.deepEqual(await payloads({ point: '1.2,1.5' }), ['b'])
      assert.deepEqual(await payloads({ point: [1.2, 1.5] }), ['b'])
      assert.deepEqual(await payloads({ point: [80, 80] }), [])
    })
  })

  it('are found in pages of history and explained by place, too', async () => {
    await withGeometries(async (system) => {
      await system.publish('test_polygon', { ...at, polygon: A }, 'a')
      await system.publish('test_polygon', { ...at, polygon: B_PAIRS }, 'b')
      const page = await system.get('/api/v1/notifications?event=test_polygon&point=1.2,1.5')
      assert.equal(page.status, 200, JSON.stringify(page.body))
      const items = page.body['notifications'] as readonly { readonly data: { readonly payload: unknown } }[]
      assert.deepEqual(
        items.map(({ data }) => data.payload),
        ['b'],
      )
      const asked = { event_type: 'test_polygon', identifier: { polygon: NEAR_A } }
      const explained = await system.post('/api/v1/explain', asked)
      const [listener] = explained.body['listeners'] as readonly { readonly matched: number }[]
      assert.equal(listener?.matched, 1, JSON.stringify(explained.body))
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

  it('A15, A16, A17, K15: are refused where they are none, and never with a 500', async () => {
    const far = Array.from({ length: 2_100 }, (_, index) => [index / 100, -index / 100])
    const rows: readonly (readonly [event: string, geometry: unknown, message: RegExp])[] = [
      ['test_polygon', '1,1,1,2,2,2,2,1', /polygon must be closed/],
      ['test_polygon', '((1,1,1,2,2,2,1,1))', /none nested/],
      ['test_polygon', '(1,1,1,2,2,2,1,1', /missing the closing/],
      ['test_polygon', '1,1,1,2,2,2,1', /field 'polygon' must be a valid polygon/],
      ['test_polygon', '1,1,2,2,1,1', /at least 4 coordinate pairs/],
      ['test_polygon', '91,1,1,2,2,2,91,1', /91/],
      ['test_polygon', '1,181,1,2,2,2,1,181', /181/],
      ['test_polygon', 'NaN,1,1,2,2,2,NaN,1', /NaN/],
      [
        'test_polygon',
        [
          [0, 0],
          [2, 2],
          [2, 0],
          [0, 2],
          [0, 0],
        ],
        /cross/,
      ],
      ['test_polygon', 5, /field 'polygon'/],
      ['test_polygon', null, /field 'polygon'/],
      ['test_cloud', '1,1', /must be a JSON array/],
      ['test_cloud', [], /at least one point/],
      ['test_cloud', [[1]], /point 0/],
      [
        'test_cloud_large',
        far.map(([lat, lon]) => [Number(lat) + 0.123456789, Number(lon) - 0.123456789]),
        /maximum is 61440 bytes/,
      ],
    ]
    await withGeometries(async (system) => {
      for (const [event_type, geometry, message] of rows) {
        const name = event_type === 'test_polygon' ? 'polygon' : 'point_cloud'
        const body = { event_type, identifier: { ...at, [name]: geometry }, payload: 'x' }
        const answer = await system.post('/api/v1/notification', body)
        assert.deepEqual([answer.status, answer.body['code']], [400, 'INVALID_NOTIFICATION_REQUEST'])
        assert.match(String(answer.body['message']), message)
        if (name === 'polygon' && geometry !== null) {
          const refused = await system.refuse('test_polygon', { polygon: geometry })
          assert.equal(refused['code'], 'INVALID_REPLAY_REQUEST')
        }
      }
      for (const point of ['52.55', 'a,b', '91,0', '1,2,3', [1], [[1, 2]]])
        assert.equal((await system.refuse('test_polygon', { point }))['code'], 'INVALID_REPLAY_REQUEST')
      const { count } = await system.store.range({ ...prefixRange('/aviso2/'), countOnly: true })
      assert.equal(count, 0n)
    })
  })

  it('G13: count as found where they touch, and across the antimeridian', async () => {
    await withGeometries(async (system) => {
      const fiji = [
        [-20, 176],
        [-20, -178],
        [-15, -178],
        [-15, 176],
        [-20, 176],
      ]
      await system.publish('test_polygon', { ...at, polygon: fiji }, 'fiji')
      const finds = async (identifier: object): Promise<boolean> =>
        (await system.replay('test_polygon', identifier)).length === 1
      assert.equal(await finds({ point: '-17,179.5' }), true)
      assert.equal(await finds({ point: '-17,-179.5' }), true)
      assert.equal(await finds({ point: '-15,176' }), true, 'a corner')
      assert.equal(await finds({ point: '-17,0' }), false)
      assert.equal(await finds({ polygon: '-15,177,-15,178,-10,178,-15,177' }), true, 'an edge')
      assert.equal(await finds({ polygon: '-14,177,-14,178,-10,178,-14,177' }), false)
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
      assert.match(String(await publish('test_cloud', cloud)), /point cloud contains 4 points, maximum is 3/)
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
