import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { firstIndex } from '#shared/search.ts'

describe('firstIndex()', () => {
  const atLeast = (limit: number) => (item: number) => item >= limit

  it('is 0 in an empty array', () => {
    assert.equal(
      firstIndex([], () => true),
      0,
    )
  })

  it('is 0 or 1 in an array of one item', () => {
    assert.equal(firstIndex([5], atLeast(5)), 0)
    assert.equal(firstIndex([5], atLeast(6)), 1)
  })

  it('finds every boundary of every short array, repeated items included', () => {
    for (let length = 0; length <= 17; length++) {
      const items = Array.from({ length }, (_, index) => index >> 1)
      for (let limit = -1; limit <= length; limit++) {
        const first = items.findIndex(atLeast(limit))
        assert.equal(firstIndex(items, atLeast(limit)), first === -1 ? length : first, `${length}, ${limit}`)
      }
    }
  })

  it('looks at no item before the start', () => {
    const items = [undefined, undefined, 3, 5, 7]
    const looked: (number | undefined)[] = []
    const find = (limit: number): number =>
      firstIndex(
        items,
        (item) => {
          looked.push(item)
          return item !== undefined && item >= limit
        },
        2,
      )
    assert.deepEqual([find(0), find(4), find(7), find(8)], [2, 3, 4, 5])
    assert.ok(!looked.includes(undefined))
    assert.equal(
      firstIndex(items, () => true, 5),
      5,
    )
  })

  it('finds items that are undefined', () => {
    assert.equal(
      firstIndex([1, undefined, undefined], (item) => item === undefined),
      1,
    )
  })

  it('asks about log2 of the items', () => {
    const items = Array.from({ length: 1_000 }, (_, index) => index)
    let asked = 0
    firstIndex(items, (item) => {
      asked++
      return item >= 123
    })
    assert.ok(asked <= 10, String(asked))
  })
})
