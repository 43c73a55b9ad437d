import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIdWindow, identityOf, type StoredItem } from '#shared/publish/id_window.ts'

const stored = (seq: number, atMs = seq): StoredItem => ({
  key: '/k',
  hash: 'h',
  revision: 1n,
  seq,
  at: '',
  atMs,
})

describe('createIdWindow()', () => {
  it('remembers at least half of its size, and never more than its size', () => {
    const window = createIdWindow({ maxItems: 10, maxAgeMs: 1e9 })
    for (let seq = 1; seq <= 100; seq++) {
      window.add(`i${seq}`, stored(seq))
      for (let recent = Math.max(1, seq - 4); recent <= seq; recent++)
        assert.equal(window.get(`i${recent}`)?.seq, recent)
      assert.equal(window.get(`i${seq - 10}`), undefined)
    }
  })

  it('remembers for the time given, and at most about twice as long', () => {
    const window = createIdWindow({ maxItems: 1000, maxAgeMs: 100 })
    for (let seq = 1; seq <= 500; seq++) window.add(`i${seq}`, stored(seq))
    assert.equal(window.get('i401')?.seq, 401)
    assert.equal(window.get('i250'), undefined)
  })

  it('knows the last of an identity', () => {
    const window = createIdWindow({ maxItems: 2, maxAgeMs: 100 })
    window.add('i', stored(1))
    window.add('j', stored(2))
    window.add('i', stored(3))
    assert.equal(window.get('i')?.seq, 3)
  })
})

describe('identityOf()', () => {
  it('keeps source, id and key apart', () => {
    const named = [
      { source: 'a', id: 'bc', key: '/k' },
      { source: 'ab', id: 'c', key: '/k' },
      { source: 'a', id: 'bc', key: '/l' },
      { source: '1:a', id: 'b', key: '/k' },
    ]
    assert.equal(new Set(named.map((name) => identityOf(name, false))).size, 4)
    assert.equal(new Set(named.map((name) => identityOf(name, true))).size, 3)
  })
})
