/** What the fault tests understand of the store's values: what is ours, and nothing else. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeJournal } from '#shared/journal/codec.ts'
import { toText } from '#shared/bytes/bytes.ts'
import { nameOfValue, toJournal, valueOf } from './records.ts'

describe('toJournal()', () => {
  it('understands what the product writes', () => {
    const keys = ['/air/italy/fco', '/air/italy/mxp', '/air/france/cdg', '/air/france/cdg', '/b', '/a/b/b']
    const events = keys.map((key, place) => ({
      key,
      seq: 8 + place,
      id: `op-${place}`,
      source: '/s',
      hash: '0',
    }))
    const value = encodeJournal({
      batch: 'b',
      at: '2026-08-10T12:00:00.000Z',
      prev: '41',
      first_seq: 8,
      events,
      place: 3,
    })
    assert.deepEqual(toJournal('/_aviso/journal/flight', toText(value)), {
      event: 'flight',
      previous: 41n,
      place: 3,
      entries: keys.map((key, place) => ({ key, sequence: 8 + place, id: `op-${place}` })),
    })
    assert.equal(toJournal('/air/italy/fco', toText(value)), undefined)
  })
})

describe('nameOfValue()', () => {
  it('names a value of ours, and no value that was cut, lengthened or changed', () => {
    const value = valueOf('op-1', 100)
    assert.equal(value.length, 100)
    assert.equal(nameOfValue(value), 'op-1')
    for (const damaged of [
      value.slice(0, -1),
      `${value}x`,
      value.replace('100', '101'),
      value.replace('xx', 'xy'),
    ])
      assert.notEqual(nameOfValue(damaged), 'op-1')
  })
})
