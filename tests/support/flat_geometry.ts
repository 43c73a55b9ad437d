/** Geometries for tests of what is around them: a polygon is the box around its points, on a plane. */

import { AvisoError } from '#shared/errors.ts'
import { createGeometries } from '#shared/notification/aviso2/geometry.ts'

interface Box {
  readonly least: readonly [number, number]
  readonly most: readonly [number, number]
}

type Pairs = readonly (readonly [number, number])[]

const LEAST_POINTS = 4

export const FLAT_GEOMETRIES = createGeometries<Box>({
  parsePolygon: (value, { field }) => {
    const pairs = typeof value === 'string' ? pairsOf(value) : (value as Pairs)
    if (!Array.isArray(pairs) || pairs.length < LEAST_POINTS)
      throw new AvisoError('ERR_BAD_REQUEST', `field '${field}' must be a valid polygon`, {
        details: { field },
      })
    return { text: typeof value === 'string' ? value : JSON.stringify(value), shape: boxOf(pairs) }
  },
  parsePointCloud: (value, { field, maxPoints = Infinity }) => {
    if (!Array.isArray(value) || value.length > maxPoints)
      throw new AvisoError('ERR_BAD_REQUEST', `field '${field}' must be a point cloud`, {
        details: { field },
      })
    return { text: JSON.stringify(value), shape: boxOf(value as Pairs) }
  },
  parsePoint: (value) => {
    const pairs = typeof value === 'string' ? pairsOf(value) : [value as Pairs[number]]
    return { text: JSON.stringify(pairs[0]), shape: boxOf(pairs) }
  },
  readShape: (_kind, text) => boxOf(text.startsWith('[') ? (JSON.parse(text) as Pairs) : pairsOf(text)),
  meets: (a, b) =>
    a.least[0] <= b.most[0] && b.least[0] <= a.most[0] && a.least[1] <= b.most[1] && b.least[1] <= a.most[1],
})

function pairsOf(text: string): Pairs {
  const numbers = text.replaceAll(/[()]/g, '').split(',').map(Number)
  return numbers.flatMap((lat, index) => (index % 2 === 0 ? [[lat, numbers[index + 1] ?? 0] as const] : []))
}

function boxOf(pairs: Pairs): Box {
  const lats = pairs.map(([lat]) => lat)
  const lons = pairs.map(([, lon]) => lon)
  return {
    least: [Math.min(...lats), Math.min(...lons)],
    most: [Math.max(...lats), Math.max(...lons)],
  }
}
