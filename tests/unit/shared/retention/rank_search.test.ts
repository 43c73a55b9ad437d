import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createRankSearch } from '#shared/retention/rank_search.ts'

function search(revisions: readonly bigint[], count: number, last: bigint) {
  const ranks = createRankSearch(count, last)
  for (let pass = 1; pass < 10; pass++) {
    for (const revision of revisions) ranks.observe(revision)
    const found = ranks.endPass()
    if (found !== undefined) return { ...found, passes: pass }
  }
  throw new Error('no end')
}

describe('createRankSearch()', () => {
  it('finds what sorting finds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 1n, max: 5_000n }), { minLength: 1, maxLength: 200 }),
        fc.nat(),
        (revisions, choice) => {
          const count = 1 + (choice % revisions.length)
          const { before, alsoAt } = search(revisions, count, 6_000n)
          const sorted = revisions.toSorted((a, b) => (a < b ? -1 : 1))
          assert.equal(before, sorted[count - 1])
          assert.equal(revisions.filter((revision) => revision < before).length + alsoAt, count)
        },
      ),
    )
  })
  it('needs four passes for one revision in 10^12', () => {
    const revisions = Array.from({ length: 1_000 }, (_, index) => BigInt(index) * 999_999_937n)
    assert.equal(search(revisions, 500, 10n ** 12n).passes, 4)
  })
  it('takes all keys where there are fewer than asked for', () => {
    const { before } = search([5n, 9n], 3, 20n)
    assert.ok(before > 9n)
  })
})
