import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createKnownHeads, type KeyHead } from '#shared/store/embedded/known_heads.ts'

const headAt = (revision: bigint): KeyHead => ({
  createRevision: 2n,
  modRevision: revision,
  version: revision - 1n,
  lease: 0n,
})

describe('createKnownHeads()', () => {
  it('knows a key from its first guard on, and follows its writes', () => {
    const known = createKnownHeads()
    known.written(toBytes('/a'), headAt(2n))
    assert.equal(known.get(toBytes('/a')), undefined)
    known.note(toBytes('/a'), headAt(2n))
    known.written(toBytes('/a'), headAt(3n))
    assert.deepEqual(known.get(toBytes('/a')), headAt(3n))
    known.clear()
    assert.equal(known.get(toBytes('/a')), undefined)
  })

  it('does not change with the caller’s buffer, and tells keys of one place apart', () => {
    const known = createKnownHeads()
    const key = toBytes('/one/ends alike')
    known.note(key, headAt(2n))
    key[1] = 0x78
    assert.deepEqual(known.get(toBytes('/one/ends alike')), headAt(2n))
    assert.equal(known.get(toBytes('/two/ends alike')), undefined)
    known.written(toBytes('/two/ends alike'), headAt(5n))
    assert.deepEqual(known.get(toBytes('/one/ends alike')), headAt(2n))
    known.note(toBytes('/two/ends alike'), headAt(5n))
    assert.equal(known.get(toBytes('/one/ends alike')), undefined)
    assert.deepEqual(known.get(toBytes('/two/ends alike')), headAt(5n))
  })

  it('keeps nothing of what a head comes from, and no long key', () => {
    const known = createKnownHeads()
    const kv = { ...headAt(4n), key: toBytes('/a'), value: toBytes('large') }
    known.note(kv.key, kv)
    assert.deepEqual(known.get(kv.key), headAt(4n))
    const long = toBytes(`/${'x'.repeat(600)}`)
    known.note(long, headAt(4n))
    assert.equal(known.get(long), undefined)
  })
})
