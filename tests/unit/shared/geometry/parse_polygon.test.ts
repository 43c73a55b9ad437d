import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { meets } from '#shared/geometry/meets.ts'
import { MAX_POLYGON_POINTS, MAX_TEXT_BYTES, parsePolygon, readShape } from '#shared/geometry/parse.ts'
import { box, point, polygon, refusal, ringPairs, written } from './geometry_support.ts'

/** A14 of the conformance cases, and what events carry. */
const BERLIN = '52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4'
const BERLIN_JSON = '[[52.5,13.4],[52.6,13.5],[52.5,13.6],[52.4,13.5],[52.5,13.4]]'
const BERLIN_GEOJSON = {
  type: 'Polygon',
  coordinates: [
    [
      [13.4, 52.5],
      [13.5, 52.6],
      [13.6, 52.5],
      [13.5, 52.4],
      [13.4, 52.5],
    ],
  ],
}
const SQUARE = [
  [0, 0],
  [10, 0],
  [10, 10],
  [0, 10],
  [0, 0],
]

describe('parsePolygon()', () => {
  const texts: [name: string, value: unknown, text: string, json: string][] = [
    ['A14: text without parentheses', BERLIN, BERLIN, BERLIN_JSON],
    ['A14: text with parentheses', `(${BERLIN})`, `(${BERLIN})`, BERLIN_JSON],
    ['text with blanks', ` ( ${BERLIN} ) `, ` ( ${BERLIN} ) `, BERLIN_JSON],
    ['K3: an array', JSON.parse(BERLIN_JSON), BERLIN_JSON, BERLIN_JSON],
    ['GeoJSON', BERLIN_GEOJSON, BERLIN_JSON, BERLIN_JSON],
    [
      'GeoJSON of one polygon',
      { type: 'MultiPolygon', coordinates: [BERLIN_GEOJSON.coordinates] },
      BERLIN_JSON,
      BERLIN_JSON,
    ],
    [
      'whole numbers and signs',
      '+1,.5,2.,-1e1,1e-6,-0,1,0.5',
      '+1,.5,2.,-1e1,1e-6,-0,1,0.5',
      '[[1.0,0.5],[2.0,-10.0],[1e-6,-0.0],[1.0,0.5]]',
    ],
    [
      'GeoJSON with a hole and heights',
      {
        type: 'Polygon',
        bbox: [0, 0, 10, 10],
        coordinates: [
          SQUARE,
          [
            [2, 3, 99],
            [4, 3, 99],
            [4, 4, 99],
            [2, 3, 99],
          ],
        ],
      },
      '{"type":"Polygon","coordinates":[[[0.0,0.0],[10.0,0.0],[10.0,10.0],[0.0,10.0],[0.0,0.0]],[[2.0,3.0],[4.0,3.0],[4.0,4.0],[2.0,3.0]]]}',
      '{"type":"Polygon","coordinates":[[[0.0,0.0],[10.0,0.0],[10.0,10.0],[0.0,10.0],[0.0,0.0]],[[2.0,3.0],[4.0,3.0],[4.0,4.0],[2.0,3.0]]]}',
    ],
    [
      'GeoJSON of two polygons',
      {
        type: 'MultiPolygon',
        coordinates: [
          [
            [
              [0, 0],
              [1, 0],
              [0, 1],
              [0, 0],
            ],
          ],
          [
            [
              [5, 5],
              [6, 5],
              [5, 6],
              [5, 5],
            ],
          ],
        ],
      },
      '{"type":"MultiPolygon","coordinates":[[[[0.0,0.0],[1.0,0.0],[0.0,1.0],[0.0,0.0]]],[[[5.0,5.0],[6.0,5.0],[5.0,6.0],[5.0,5.0]]]]}',
      '{"type":"MultiPolygon","coordinates":[[[[0.0,0.0],[1.0,0.0],[0.0,1.0],[0.0,0.0]]],[[[5.0,5.0],[6.0,5.0],[5.0,6.0],[5.0,5.0]]]]}',
    ],
  ]
  for (const [name, value, text, json] of texts) {
    it(`accepts ${name}`, () => {
      const geometry = parsePolygon(value)
      assert.equal(geometry.text, text)
      assert.equal(geometry.json, json)
      assert.deepEqual(readShape('polygon', geometry.text), geometry.shape, 'the text gives the same shape')
    })
  }

  const refusals: [name: string, value: unknown, message: RegExp][] = [
    [
      'A15: an open line',
      '(52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5)',
      /polygon must be closed.*repeat the first point/,
    ],
    [
      'an open array',
      [
        [0, 0],
        [0, 1],
        [1, 1],
        [1, 0],
      ],
      /polygon must be closed/,
    ],
    ['A16: two pairs of parentheses', `((${BERLIN}))`, /none nested/],
    ['A16: no closing parenthesis', `(${BERLIN}`, /missing the closing/],
    ['A16: no opening parenthesis', `${BERLIN})`, /missing the opening/],
    ['A17: an odd count', '1,2,3', /got 3 values \(an odd number\)/],
    ['A17: three pairs', '1,2,3,4,1,2', /at least 4 coordinate pairs.*got 3/],
    ['two points', '1,2,3,4', /at least 4 coordinate pairs.*got 2/],
    ['A17: latitude 91', box(0, 0, 91, 10), /point 1: latitude 91 is outside the valid range \[-90, 90\]/],
    ['A17: longitude 181', box(0, 0, 10, 181), /point 2: longitude 181 is outside.*write 190 as -170/],
    [
      'latitude 91 in an array',
      [
        [0, 0],
        [91, 0],
        [1, 1],
        [0, 0],
      ],
      /point 1: latitude 91 is outside/,
    ],
    ['NaN', 'NaN,1,2,2,3,3,NaN,1', /point 0: latitude NaN is not finite/],
    ['infinity', '1,-inf,2,2,3,3,1,-inf', /point 0: longitude -inf is not finite/],
    [
      'NaN in an array',
      [
        [0, 0],
        [0, Number.NaN],
        [1, 1],
        [0, 0],
      ],
      /point 1: longitude NaN is not finite/,
    ],
    [
      'a large integer of strict JSON',
      [
        [0, 0],
        [0, 2n ** 60n],
        [1, 1],
        [0, 0],
      ],
      /longitude 1152921504606846976 is outside|longitude 1152921504606847000 is outside/,
    ],
    ['a word', 'north,1,2,2,3,3,north,1', /latitude 'north' is not a number/],
    ['hexadecimal', '0x1,1,2,2,3,3,0x1,1', /latitude '0x1' is not a number/],
    ['a missing number', '1,,2,2,3,3,1,', /longitude '' is not a number/],
    [
      'a text in an array',
      [
        [0, 0],
        [0, '1'],
        [1, 1],
        [0, 0],
      ],
      /point 1: longitude must be a number/,
    ],
    [
      'three numbers of a point',
      [
        [0, 0],
        [0, 1, 2],
        [1, 1],
        [0, 0],
      ],
      /point 1: coordinate must be an array \[lat,lon\]/,
    ],
    ['an empty text', ' ', /it is empty/],
    ['empty parentheses', '( )', /empty between parentheses/],
    [
      '100,000 points',
      Array.from({ length: 100_000 }, () => '1,2').join(),
      /contains 100000 points, maximum is 10000/,
    ],
    [
      '100,000 points of an array',
      Array.from({ length: 100_000 }, () => [1, 2]),
      /contains 100000 points, maximum is 10000/,
    ],
    ['a long text', `${' '.repeat(MAX_TEXT_BYTES)}${BERLIN}`, /61489 bytes, maximum is 61440 bytes/],
    ['a number of 200,000 digits', `${'1'.repeat(200_000)}x,1`, /bytes, maximum is 61440/],
    ['a number', 5, /as text, \[\[lat,lon\],…\], or a GeoJSON/],
    ['null', null, /as text/],
    ['a Feature', { type: 'Feature', geometry: BERLIN_GEOJSON }, /type 'Feature'.*Polygon or MultiPolygon/],
    ['GeoJSON without a type', { coordinates: [] }, /no type/],
    ['GeoJSON without rings', { type: 'Polygon', coordinates: [] }, /array of rings/],
    ['GeoJSON without coordinates', { type: 'Polygon' }, /array of rings/],
    ['GeoJSON with another reference system', { ...BERLIN_GEOJSON, crs: {} }, /crs is not part of GeoJSON/],
    [
      'GeoJSON with latitude first',
      {
        type: 'Polygon',
        coordinates: [
          [
            [0, 100],
            [0, 101],
            [1, 101],
            [0, 100],
          ],
        ],
      },
      /GeoJSON has longitude first/,
    ],
    [
      'an open hole',
      {
        type: 'Polygon',
        coordinates: [
          SQUARE,
          [
            [1, 1],
            [2, 1],
            [2, 2],
            [1, 2],
          ],
        ],
      },
      /ring 1: polygon must be closed/,
    ],
    [
      'a hole outside',
      {
        type: 'Polygon',
        coordinates: [
          SQUARE,
          [
            [12, 1],
            [13, 1],
            [13, 2],
            [12, 1],
          ],
        ],
      },
      /ring 1 is a hole outside/,
    ],
    [
      'a hole outside that touches',
      {
        type: 'Polygon',
        coordinates: [
          SQUARE,
          [
            [10, 5],
            [13, 1],
            [13, 2],
            [10, 5],
          ],
        ],
      },
      /ring 1 is a hole outside/,
    ],
    [
      'a hole that crosses',
      {
        type: 'Polygon',
        coordinates: [
          SQUARE,
          [
            [9, 1],
            [13, 1],
            [13, 2],
            [9, 1],
          ],
        ],
      },
      /of ring 0 .* crosses the edge of ring 1 /,
    ],
    [
      'a hole that crosses beyond the antimeridian',
      {
        type: 'Polygon',
        coordinates: [
          [
            [170, 0],
            [-170, 0],
            [-170, 10],
            [170, 10],
            [170, 0],
          ],
          [
            [-179, 4],
            [-160, 4],
            [-179, 6],
            [-179, 4],
          ],
        ],
      },
      /of ring 0 .* crosses the edge of ring 1 /,
    ],
    [
      'a line round both halves of the earth',
      '0,-180,0,0,0,180,0,-180',
      /either pole may be inside; add the pole/,
    ],
    [
      'a line twice round the earth',
      '1,0,1,120,1,-120,2,0,2,120,2,-120,1,0',
      /goes round the earth more than once/,
    ],
  ]
  for (const [name, value, message] of refusals) {
    it(`refuses ${name}`, () => {
      const refused = refusal(() => parsePolygon(value))
      assert.match(refused?.message ?? 'accepted', message)
      assert.match(refused?.message ?? '', /^field 'polygon' must be a valid polygon: /)
      assert.equal(refused?.field, 'polygon')
      assert.equal(refused?.status, 400)
    })
  }

  it('names the field and the code of its caller', () => {
    const refused = refusal(() => parsePolygon('1,2', { field: 'area', code: 'ERR_INVALID_NOTIFICATION' }))
    assert.match(refused?.message ?? '', /^field 'area' must be a valid polygon/)
    assert.equal(refused?.field, 'area')
  })

  it('accepts as many points as it says, and no more', () => {
    const many = Array.from({ length: MAX_POLYGON_POINTS + 1 }, () => [1, 1])
    assert.match(refusal(() => parsePolygon(many))?.message ?? '', /contains 10001 points/)
    assert.equal(
      refusal(() => parsePolygon(many.slice(1))),
      undefined,
    )
  })

  it('gives equal answers for text and array (K3)', () => {
    fc.assert(
      fc.property(ringPairs, ({ first, second }) => {
        const pairs = written(first)
        const other = polygon(written(second))
        assert.equal(meets(polygon(pairs), other), meets(polygon(`(${pairs.flat().join(', ')})`), other))
        const { text, shape } = parsePolygon(pairs)
        assert.deepEqual(readShape('polygon', text), shape)
      }),
      { numRuns: 200 },
    )
  })
})

describe('readShape()', () => {
  it('refuses a text that is none', () => {
    assert.match(
      refusal(() => readShape('point_cloud', '[[1,2'))?.message ?? '',
      /stored text that cannot be read/,
    )
    assert.match(refusal(() => readShape('polygon', '{}'))?.message ?? '', /stored text that cannot be read/)
    assert.match(refusal(() => readShape('point', 'x'))?.message ?? '', /stored text that cannot be read/)
  })

  it('reads a polygon that crosses itself, which 2.x stored', () => {
    const bow = readShape('polygon', '0,0,10,10,0,10,10,0,0,0')
    assert.equal(meets(bow, point('5,5')), true)
    assert.equal(meets(bow, point('1,5')), false)
    assert.equal(meets(bow, point('5,1')), true)
  })
})
