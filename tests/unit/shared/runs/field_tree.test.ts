import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FieldTree } from '#shared/runs/field_tree.ts'

const NAMES = ['date', 'step']

describe('FieldTree', () => {
  it('finds values by all of their fields, a missing field as an empty one', () => {
    const tree = new FieldTree<{ readonly is: string }>(NAMES, 100)
    const all = [{ date: '1', step: '2' }, { date: '2', step: '1' }, { date: '12' }, { step: '12' }, {}]
    for (const [index, fields] of all.entries()) tree.set(fields, { is: String(index) })
    for (const [index, fields] of all.entries()) assert.equal(tree.get(fields)?.is, String(index))
    assert.equal(tree.get({ date: '1', step: '1' }), undefined)
    tree.delete({ date: '1', step: '2' })
    tree.delete({ date: 'none', step: '1' })
    assert.equal(tree.get({ date: '1', step: '2' }), undefined)
    assert.equal(tree.get({ date: '2', step: '1' })?.is, '1')
  })

  it('forgets all when so many came, also where those before were taken out: their branches are still there', () => {
    const tree = new FieldTree<{ readonly is: number }>(NAMES, 3)
    const fields = (is: number): Record<string, string> => ({ date: String(is), step: '0' })
    for (const is of [0, 1, 2]) tree.set(fields(is), { is })
    tree.delete(fields(0))
    assert.equal(tree.get(fields(1))?.is, 1)
    tree.set(fields(3), { is: 3 })
    assert.deepEqual(
      [0, 1, 2, 3].map((is) => tree.get(fields(is))?.is),
      [undefined, undefined, undefined, 3],
    )
  })
})
