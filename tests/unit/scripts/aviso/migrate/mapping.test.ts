import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mappedValue } from '../../../../../scripts/aviso/migrate/mapped_value.ts'
import { createRevisionMap } from '../../../../../scripts/aviso/migrate/revision_map.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { encodeJournal, parseJournal } from '#shared/journal/codec.ts'
import { encodeRemoved, parseRemoved } from '#shared/journal/removed.ts'
import { encodeHistory, parseHistory } from '#shared/retention/mark_history.ts'

describe('createRevisionMap()', () => {
  it('answers with the newest copied revision that is not later', () => {
    const map = createRevisionMap()
    for (const [from, to] of [
      [10n, 3n],
      [11n, 4n],
      [12n, 5n],
      [20n, 6n],
      [21n, 9n],
    ] as const)
      map.add(from, to)
    const asked = [0n, 1n, 9n, 10n, 11n, 12n, 13n, 19n, 20n, 21n, 99n]
    assert.deepEqual(asked.map(map.at), [0n, 1n, 1n, 3n, 4n, 5n, 5n, 5n, 6n, 9n, 9n])
  })
})

describe('mappedValue()', () => {
  const map = (revision: bigint): bigint => (revision === 0n ? 0n : revision + 1_000n)
  const mapped = (key: string, value: Uint8Array | string): Uint8Array =>
    mappedValue({ key: toBytes(key), value: typeof value === 'string' ? toBytes(value) : value }, map)
  const same = (key: string, value: string): void => assert.equal(toText(mapped(key, value)), value)

  it('maps the journal before, and nothing else of a journal', () => {
    const key = '/_aviso/journal/flight'
    const events = [{ key: '/a', seq: 4, id: '"prev":"7"', source: 's', hash: 'h' }]
    const batch = { batch: 'b', at: '2026-11-25T12:00:00.000Z', prev: '7', first_seq: 4, events }
    assert.deepEqual(parseJournal(mapped(key, encodeJournal(batch)), key), { ...batch, prev: '1007' })
    assert.equal(parseJournal(mapped(key, encodeJournal({ ...batch, prev: '0' })), key).prev, '0')
    same(key, 'nonsense')
    same(key, '{"prev":7}')
  })
  it('maps removals, marks and the history of 1.x', () => {
    const removed = { wipedThrough: 5n, ids: new Map([[3n, 7n]]) }
    assert.deepEqual(parseRemoved(mapped('/_aviso/removed/mars', encodeRemoved(removed)), 'mars'), {
      wipedThrough: 1_005n,
      ids: new Map([[3n, 1_007n]]),
    })
    const history = { marks: [{ revision: 5n, at: 0, countedMs: 1 }], compacted: 4n }
    assert.deepEqual(parseHistory(mapped('/_aviso/admin/history', encodeHistory(history))), {
      marks: [{ revision: 1_005n, at: 0, countedMs: 1 }],
      compacted: 1_004n,
    })
    const legacy = '[{"revision":5,"timestamp":"2026-11-21T00:00:00.000000Z"},{"other":1}]'
    assert.equal(toText(mapped('/ec/admin/history', legacy)), legacy.replace(':5', ':1005'))
    same('/_aviso/removed/mars', 'nonsense')
    same('/_aviso/admin/history', '{}')
    same('/ec/admin/history', '{')
  })
  it('maps status documents, byte for byte else, and no notification', () => {
    const status =
      '{"etcd_user": null, "message": "say \\"prev_rev\\": 5", "engine": "ETCD_REST", "prev_rev": 5, "last_prev_day_rev": 4}'
    const wanted = status.replace(', "prev_rev": 5', ', "prev_rev": 1005').replace('rev": 4', 'rev": 1004')
    assert.equal(toText(mapped('/ec/mars/', status)), wanted)
    assert.equal(toText(mapped('/ec/config/aviso', status)), wanted)
    same('/ec/mars/date=1', status)
    same('/ec/mars/', '{"prev_rev": 5}')
  })
})
