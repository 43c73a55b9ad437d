import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MAX_TEXT_BYTES, parsePoint, parsePointCloud, readShape } from '#shared/geometry/parse.ts'
import { refusal } from './geometry_support.ts'

describe('parsePoint()', () => {
  const texts: [value: unknown, text: string, json: string][] = [
    ['52.55,13.5', '52.55,13.5', '[52.55,13.5]'],
    ['(52.5500, 13.5000)', '52.55,13.5', '[52.55,13.5]'],
    [[52.55, 13], '52.55,13', '[52.55,13.0]'],
    [{ type: 'Point', coordinates: [13.5, 52.55] }, '52.55,13.5', '[52.55,13.5]'],
    ['1.5e-7,-0', '0.00000015,-0', '[1.5e-7,-0.0]'],
    ['-90,-180', '-90,-180', '[-90.0,-180.0]'],
  ]
  for (const [value, text, json] of texts) {
    it(`A18: accepts ${JSON.stringify(value)}`, () => {
      const geometry = parsePoint(value)
      assert.deepEqual([geometry.text, geometry.json], [text, json])
      assert.deepEqual(readShape('point', text), geometry.shape)
    })
  }

  const refusals: [value: unknown, message: RegExp][] = [
    ['52.55', /exactly two values, lat,lon, got 1/],
    ['1,2,3', /got 3/],
    ['', /got 0/],
    ['a,b', /latitude 'a' is not a number/],
    ['91,0', /point: latitude 91 is outside/],
    ['0,181', /longitude 181 is outside/],
    ['(1,2', /latitude '\(1' is not a number/],
    [[1, 2, 3], /must be an array \[lat,lon\]/],
    [[1, null], /longitude must be a number/],
    [{ type: 'MultiPoint', coordinates: [[1, 2]] }, /GeoJSON object of type Point/],
    [7, /give lat,lon as text/],
  ]
  for (const [value, message] of refusals) {
    it(`A18: refuses ${JSON.stringify(value)}`, () => {
      const refused = refusal(() => parsePoint(value))
      assert.match(refused?.message ?? 'accepted', message)
      assert.match(refused?.message ?? '', /^field 'point' must be a valid point: /)
    })
  }

  it('writes every number so that it is read again', () => {
    const degrees = fc.double({ min: -90, max: 90, noNaN: true })
    fc.assert(
      fc.property(degrees, degrees, (latitude, longitude) => {
        const { text, json, shape } = parsePoint([latitude, longitude])
        assert.deepEqual(text.split(',').map(Number), [latitude, longitude])
        assert.deepEqual(JSON.parse(json), [latitude, longitude])
        assert.doesNotMatch(text, /e/, '2.x writes no exponent here')
        assert.deepEqual(readShape('point', text), shape)
      }),
    )
  })
})

describe('parsePointCloud()', () => {
  it('keeps order and repeated points', () => {
    const { text, json, shape } = parsePointCloud([
      [1, 2],
      [1, 2],
      [-3, 4.5],
    ])
    assert.equal(text, '[[1.0,2.0],[1.0,2.0],[-3.0,4.5]]')
    assert.equal(json, text)
    assert.deepEqual(readShape('point_cloud', text), shape)
  })

  it('accepts GeoJSON', () => {
    const { text } = parsePointCloud({
      type: 'MultiPoint',
      coordinates: [
        [13.4, 52.5],
        [9, 48],
      ],
    })
    assert.equal(text, '[[52.5,13.4],[48.0,9.0]]')
  })

  const cloud = (count: number): unknown[] => Array.from({ length: count }, () => [1, 2])
  it('G11: accepts 10,000 points, and refuses 10,001', () => {
    assert.equal(parsePointCloud(cloud(10_000)).shape.points?.xs.length, 10_000)
    const message = "field 'point_cloud' point cloud contains 10001 points, maximum is 10000"
    assert.ok(refusal(() => parsePointCloud(cloud(10_001)))?.message.startsWith(message))
  })

  it('K15: counts the bytes to the last one', () => {
    // A point of n bytes adds n + 1, with its comma or the outer brackets. The last point fills up what is left.
    const filled = (bytes: number): unknown[] => {
      const points = Array.from({ length: Math.floor((bytes - 1) / 17) - 1 }, () => [10.125, -170.25])
      const left = bytes - 1 - points.length * 17 - '[,],'.length
      const number = (length: number): number => Number(`1.${'1'.repeat(length - 2)}`)
      return [...points, [number(Math.floor(left / 2)), number(Math.ceil(left / 2))]]
    }
    assert.equal(parsePointCloud(filled(MAX_TEXT_BYTES)).text.length, MAX_TEXT_BYTES)
    assert.match(refusal(() => parsePointCloud(filled(MAX_TEXT_BYTES + 1)))?.message ?? '', /is 61441 bytes/)
    const message = /is 62464 bytes, maximum is 61440 bytes; round the coordinates or split the cloud/
    assert.match(refusal(() => parsePointCloud(filled(61 * 1024)))?.message ?? '', message)
  })

  const refusals: [name: string, value: unknown, message: RegExp][] = [
    ['K15: a text', '1,2,3,4', /must be a JSON array of \[lat,lon\] points/],
    ['K15: an empty array', [], /must contain at least one point/],
    ['a point of one number', [[1, 2], [1]], /point 1 is invalid: coordinate must be an array \[lat,lon\]/],
    ['a text as a number', [['1', 2]], /point 0 is invalid: latitude must be a number/],
    ['latitude 91', [[91, 0]], /point 0 is invalid: latitude 91 is outside the valid range \[-90, 90\]/],
    [
      'longitude 181',
      [[0, 181]],
      /point 0 is invalid: longitude 181 is outside the valid range \[-180, 180\]/,
    ],
    ['a GeoJSON Point', { type: 'Point', coordinates: [1, 2] }, /GeoJSON object of type MultiPoint/],
  ]
  for (const [name, value, message] of refusals) {
    it(`refuses ${name}`, () => {
      assert.match(refusal(() => parsePointCloud(value))?.message ?? 'accepted', message)
    })
  }

  it('puts a small box around points on both sides of the antimeridian', () => {
    const { points } = parsePointCloud([
      [1, -179],
      [2, 178],
      [3, 180],
    ]).shape
    assert.deepEqual([points?.minX, points?.maxX], [178, 181])
  })

  it('has the limit of its schema', () => {
    assert.equal(
      refusal(() => parsePointCloud(cloud(2), { maxPoints: 2 })),
      undefined,
    )
    const refused = refusal(() => parsePointCloud(cloud(3), { maxPoints: 2, field: 'stations' }))
    assert.match(refused?.message ?? '', /^field 'stations' point cloud contains 3 points, maximum is 2/)
  })
})
