import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createRing } from '#shared/store/embedded/ring.ts'
import type { RevisionEvents } from '#shared/store/embedded/revisions.ts'
import type { StoreEvent } from '#shared/store/store.ts'

/** Puts as a transaction makes them: the bytes of all lie one behind the other in one buffer. */
function putsOf(revision: bigint, count: number): StoreEvent[] {
  const text = Array.from(
    { length: count },
    (_, index) => [`/k/${revision}/${index}`, `value ${index}`] as const,
  )
  const { buffer } = toBytes(text.flat().join(''))
  let used = 0
  const take = (length: number): Uint8Array => new Uint8Array(buffer, (used += length) - length, length)
  return text.map(([key, value], index) => ({
    kind: 'put',
    kv: {
      key: take(key.length),
      value: take(value.length),
      createRevision: index % 2 === 0 ? revision : 7n,
      modRevision: revision,
      version: BigInt(index + 1),
      lease: BigInt(index),
    },
  }))
}

function deletionOf(revision: bigint): StoreEvent {
  const kv = { key: toBytes('/gone'), value: new Uint8Array(0), createRevision: 0n, version: 0n, lease: 0n }
  return { kind: 'delete', kv: { ...kv, modRevision: revision } }
}

const plain = (entry: RevisionEvents | undefined): unknown =>
  entry?.events.map(({ kind, kv }) => ({ kind, ...kv, key: [...kv.key], value: [...kv.value] }))

describe('createRing()', () => {
  it('gives every revision back as it was, however many came after it', () => {
    const ring = createRing()
    const revisions = Array.from({ length: 40 }, (_, index) => {
      const revision = 100n + BigInt(index)
      const events = putsOf(revision, 1 + (index % 5))
      if (index % 7 === 3) events.push(deletionOf(revision))
      return { revision, events: index % 11 === 5 ? [deletionOf(revision)] : events }
    })
    const expected = revisions.map(plain)
    for (const entry of revisions) ring.push(entry)
    assert.deepEqual(
      revisions.map(({ revision }) => plain(ring.get(revision))),
      expected,
    )
    assert.ok(revisions.every(({ revision }) => ring.get(revision)?.revision === revision))
  })

  it('forgets the first ones when there are too many, or a revision is left out', () => {
    const ring = createRing()
    const push = (revision: bigint): void => ring.push({ revision, events: putsOf(revision, 1) })
    for (let revision = 2n; revision < 6_000n; revision++) push(revision)
    assert.equal(ring.get(2n), undefined)
    assert.ok(ring.get(5_999n))
    assert.equal(ring.get(6_000n), undefined)
    push(7_000n)
    assert.equal(ring.get(5_999n), undefined)
    assert.ok(ring.get(7_000n))
    ring.clear()
    assert.equal(ring.get(7_000n), undefined)
  })
})
