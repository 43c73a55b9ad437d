import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toBytes } from '#shared/bytes/bytes.ts'
import { readToEnd, type ReadPiece } from '#shared/bytes/read_to_end.ts'

/** Gives pieces, and counts how often it was asked. */
function reading(...pieces: readonly Uint8Array[]): { read: ReadPiece; asked: () => number } {
  let asked = 0
  return { read: () => Promise.resolve(pieces[asked++]), asked: () => asked }
}

describe('readToEnd()', () => {
  it('gives the bytes of a stream however it is cut', async () => {
    const bytes = toBytes('{"é":"𝄞"}')
    assert.deepEqual(await readToEnd(reading().read, 100), new Uint8Array(0))
    for (let cut = 0; cut <= bytes.length; cut++)
      assert.deepEqual(await readToEnd(reading(bytes.slice(0, cut), bytes.slice(cut)).read, 100), bytes)
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    assert.deepEqual(await readToEnd(reading(...single).read, 100), bytes)
  })

  it('gives a single piece as it is', async () => {
    const piece = toBytes('whole')
    assert.equal(await readToEnd(reading(piece).read, 5), piece)
  })

  it('takes as many bytes as the limit, and not one more', async () => {
    const pieces = [toBytes('ab'), toBytes('cd')]
    assert.deepEqual(await readToEnd(reading(...pieces).read, 4), toBytes('abcd'))
    assert.equal(await readToEnd(reading(...pieces).read, 3), undefined)
    assert.deepEqual(await readToEnd(reading().read, 0), new Uint8Array(0))
    assert.equal(await readToEnd(reading(toBytes('a')).read, 0), undefined)
  })

  it('reads nothing behind the piece that is too much', async () => {
    const { read, asked } = reading(toBytes('ab'), toBytes('cd'), toBytes('ef'))
    assert.equal(await readToEnd(read, 3), undefined)
    assert.equal(asked(), 2)
  })

  it('throws what reading throws', async () => {
    const broken = new Error('broken')
    await assert.rejects(
      readToEnd(() => Promise.reject(broken), 100),
      broken,
    )
  })
})
