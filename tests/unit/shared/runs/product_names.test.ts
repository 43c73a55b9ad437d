/**
 * Names of products, which all slots of an event type share, and the shapes of slots that hold their numbers.
 */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { productKey } from '#shared/runs/expectation.ts'
import { ProductNames } from '#shared/runs/product_names.ts'
import { Shape } from '#shared/runs/shape.ts'

const FIELDS = ['step', 'domain']

describe('ProductNames', () => {
  it('gives one name to the same values, by fields and by key', () => {
    const names = new ProductNames(FIELDS)
    const name = names.of({ step: '6', domain: 'g', class: 'od' })
    assert.equal(names.of({ step: '6', domain: 'g' }), name)
    assert.equal(names.take(productKey(FIELDS, { step: '6', domain: 'g' })), name)
    assert.equal(names.find(name.key), name)
    assert.notEqual(names.of({ step: 'g', domain: '6' }), name)
    assert.equal(names.find(productKey(FIELDS, { step: '7', domain: 'g' })), undefined)
  })

  it('takes values that are not there for empty ones', () => {
    const names = new ProductNames(FIELDS)
    assert.equal(names.of({ step: '6' }), names.of({ step: '6', domain: '' }))
  })

  it('gives one name to values that have one key, whatever signs they hold', () => {
    const names = new ProductNames(FIELDS)
    const name = names.of({ step: '6\u001fg', domain: 'x' })
    assert.equal(names.of({ step: '6\ufffdg', domain: 'x' }), name)
    assert.equal(names.of({ step: '6\u001fg', domain: 'x' }), name)
    assert.notEqual(names.of({ step: '6', domain: 'g\u001fx' }), name)
  })

  it('puts those that differ in the first field only in one group, numbers and texts apart', () => {
    const names = new ProductNames(FIELDS)
    const of = (step: string, domain: string) => names.of({ step, domain })
    assert.equal(of('0', 'g').group, of('240', 'g').group)
    assert.notEqual(of('0', 'g').group, of('0', 'm').group)
    assert.notEqual(of('0', 'g').group, of('006', 'g').group)
    assert.deepEqual(
      ['0', '240', '006', 'a', '', '1234567890'].map((step) => of(step, 'g').number),
      [0, 240, -1, -1, -1, -1],
    )
  })

  it('forgets names that are not marked, and keeps the numbers and groups of those that are', () => {
    const names = new ProductNames(['step'])
    const all = Array.from({ length: 65_536 }, (_, step) => names.of({ step: String(step) }))
    assert.equal(names.isSweepDue, true)
    const kept = all.filter(({ id }) => id % 3 === 0)
    names.sweep((isUsed) => {
      for (const { id } of kept) isUsed[id] = 1
    })
    assert.equal(names.isSweepDue, false)
    for (const name of kept) {
      assert.equal(names.of({ step: name.key }), name)
      assert.equal(names.at(name.id), name)
    }
    assert.equal(names.find('1'), undefined)
    assert.equal(names.at(1), undefined)
    const again = names.of({ step: '1' })
    assert.ok(again.id < all.length && again.id % 3 !== 0, 'a number that is free')
    assert.equal(again.group, kept[0]?.group)
    const others = Array.from({ length: 20_000 }, (_, step) => names.of({ step: `x${step}` }).id)
    const used = [...kept.map(({ id }) => id), again.id, ...others]
    assert.equal(new Set(used).size, used.length, 'no number twice')
  })
})

describe('Shape', () => {
  it('by chance: finds each product where it was added, and no other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(400), { maxLength: 300 }), fc.nat(400), (ids, other) => {
        const names = new ProductNames(['step'])
        // Numbers of names have gaps, as those of slots with other products do.
        const all = Array.from({ length: 401 }, (_, step) => names.of({ step: String(step) }))
        const shape = new Shape(names)
        for (const [index, id] of ids.entries()) {
          const name = all[id]
          assert.ok(name !== undefined)
          assert.equal(shape.indexOf(name), -1)
          assert.equal(shape.add(name), index)
        }
        assert.equal(shape.size, ids.length)
        for (const [index, id] of ids.entries()) {
          assert.equal(shape.find(String(id)), index)
          assert.equal(shape.keyAt(index), String(id))
        }
        assert.equal(shape.find(String(other)), ids.indexOf(other))
        assert.equal(shape.find('none'), -1)
        assert.equal(shape.keyAt(ids.length), '')
      }),
    )
  })
})
