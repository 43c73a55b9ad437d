import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
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

  it('by chance: keeps values apart by their texts, whether they are numbers or not, and however large', () => {
    const number = fc.oneof(fc.nat(400), fc.nat(100_000), fc.nat(2_000_000_000)).map(String)
    const text = fc.oneof(number, fc.constantFrom('', '00', '007', '-1', '1.5', '1e3', 'a', '9'.repeat(20)))
    const act = fc.record({ date: fc.constantFrom('0', '1', 'x'), step: text, isSet: fc.boolean() })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 300 }), (acts) => {
        const tree = new FieldTree<{ readonly is: number }>(NAMES, Number.POSITIVE_INFINITY)
        const known = new Map<string, { readonly is: number }>()
        for (const [is, { isSet, ...fields }] of acts.entries()) {
          const name = JSON.stringify(fields)
          assert.equal(tree.get(fields), known.get(name))
          if (isSet) tree.set(fields, { is })
          else tree.delete(fields)
          if (isSet) known.set(name, tree.get(fields) ?? { is: -1 })
          else known.delete(name)
          assert.equal(tree.get(fields)?.is, isSet ? is : undefined)
        }
        for (const [name, value] of known)
          assert.equal(tree.get(JSON.parse(name) as Readonly<Record<string, string>>), value)
      }),
    )
  })

  it('finds numbers that came before there was a place for them', () => {
    const tree = new FieldTree<{ readonly is: number }>(['step'], Number.POSITIVE_INFINITY)
    const order = [5_000, ...Array.from({ length: 5_000 }, (_, step) => step), 5_001]
    for (const is of order) tree.set({ step: String(is) }, { is })
    for (const is of order) assert.equal(tree.get({ step: String(is) })?.is, is)
    tree.set({ step: '5000' }, { is: -1 })
    assert.equal(tree.get({ step: '5000' })?.is, -1)
    tree.delete({ step: '5000' })
    assert.equal(tree.get({ step: '5000' }), undefined)
  })
})
