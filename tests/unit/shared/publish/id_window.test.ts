import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createIdentityHash } from '#shared/publish/identity_hash.ts'
import { createIdWindow, identityOf, type StoredItem } from '#shared/publish/id_window.ts'

const hash = createIdentityHash('a secret')

const stored = (seq: number, atMs = seq): StoredItem => ({
  key: '/k',
  hash: '0123456789abcdef',
  revision: 1n,
  seq,
  at: new Date(atMs).toISOString(),
  atMs,
})

describe('createIdWindow()', () => {
  it('remembers at least half of its size, and never more than its size', () => {
    const window = createIdWindow({ maxItems: 10, maxAgeMs: 1e9, hash })
    for (let seq = 1; seq <= 100; seq++) {
      window.add(`i${seq}`, stored(seq))
      for (let recent = Math.max(1, seq - 4); recent <= seq; recent++)
        assert.equal(window.get(`i${recent}`)?.seq, recent)
      assert.equal(window.get(`i${seq - 10}`), undefined)
    }
  })

  it('remembers for the time given, and at most about twice as long', () => {
    const window = createIdWindow({ maxItems: 1000, maxAgeMs: 100, hash })
    for (let seq = 1; seq <= 500; seq++) window.add(`i${seq}`, stored(seq))
    assert.equal(window.get('i401')?.seq, 401)
    assert.equal(window.get('i250'), undefined)
  })

  it('tells all of an item, whatever its key and its hash', () => {
    for (const strictIds of [false, true]) {
      for (const fingerprint of ['0123456789abcdef', 'ffffffff00000000', 'another', '']) {
        const window = createIdWindow({ maxItems: 1_000, maxAgeMs: 1e6, hash })
        const items = Array.from({ length: 200 }, (_, index) => {
          const item = {
            ...stored(index + 1, Date.UTC(2026, 5, 10) + index),
            key: `/k/${index}`,
            hash: fingerprint,
          }
          return { item, identity: identityOf({ id: `a\0${index}`, source: 's', key: item.key }, strictIds) }
        })
        for (const { identity, item } of items) window.add(identity, item)
        for (const { identity, item } of items) assert.deepEqual(window.get(identity), item)
        const [first] = items
        assert.ok(first !== undefined)
        const again = { ...first.item, key: strictIds ? '/other' : first.item.key, hash: '00000000000000ff' }
        window.add(first.identity, again)
        assert.deepEqual(window.get(first.identity), again)
      }
    }
  })

  it('knows the last of an identity', () => {
    const window = createIdWindow({ maxItems: 2, maxAgeMs: 100, hash })
    window.add('i', stored(1))
    window.add('j', stored(2))
    window.add('i', stored(3))
    assert.equal(window.get('i')?.seq, 3)
  })

  it('tells identities apart whose slot is the same', () => {
    const crowded = createIdWindow({
      maxItems: 1_000,
      maxAgeMs: 1e6,
      hash: (text, into) => into.set([7, 7, 7, Number(text)]),
    })
    for (let seq = 0; seq < 300; seq++) crowded.add(String(seq), stored(seq))
    for (let seq = 0; seq < 300; seq++) assert.equal(crowded.get(String(seq))?.seq, seq)
    assert.equal(crowded.get('300'), undefined)
    assert.equal(crowded.size(), 300)
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
