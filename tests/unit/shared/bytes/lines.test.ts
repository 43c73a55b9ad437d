import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { createLineSplitter, type LineSplitter } from '#shared/bytes/lines.ts'

const TEXT = '{"a":1}\n{"b":"é𝄞"}\r\n\n{"error":{"message":"without end"}}'
const LINES = ['{"a":1}', '{"b":"é𝄞"}\r', '']
const LAST = '{"error":{"message":"without end"}}'

function splitter(maxBytes = 1_000): LineSplitter {
  return createLineSplitter({ maxBytes, tooLong: () => new RangeError('too long') })
}

function linesOf(pieces: readonly Uint8Array[]): { lines: string[]; last: string } {
  const { add, end } = splitter()
  return { lines: pieces.flatMap((piece) => [...add(piece)].map(toText)), last: toText(end()) }
}

describe('createLineSplitter()', () => {
  it('finds the same lines wherever the pieces are cut, in the middle of a character too', () => {
    const bytes = toBytes(TEXT)
    for (let cut = 0; cut <= bytes.length; cut++)
      assert.deepEqual(linesOf([bytes.slice(0, cut), bytes.slice(cut)]), { lines: LINES, last: LAST })
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    assert.deepEqual(linesOf(single), { lines: LINES, last: LAST })
  })

  it('leaves nothing behind a line feed, and gives every empty line', () => {
    assert.deepEqual(linesOf([toBytes('a\nb\n')]), { lines: ['a', 'b'], last: '' })
    assert.deepEqual(linesOf([]), { lines: [], last: '' })
    assert.deepEqual(linesOf([toBytes(''), toBytes('\n'), toBytes('\n\n')]), {
      lines: ['', '', ''],
      last: '',
    })
  })

  it('gives every line as soon as it is complete', () => {
    const { add } = splitter()
    assert.deepEqual([...add(toBytes('a\nb\nc'))].map(toText), ['a', 'b'])
    assert.deepEqual([...add(toBytes('c'))].map(toText), [])
    assert.deepEqual([...add(toBytes('c\n'))].map(toText), ['ccc'])
  })

  it('looks for a line only when it is asked for', () => {
    const piece = toBytes('a\nb\nc\n')
    const lines = splitter().add(piece)
    assert.equal(toText(lines.next().value ?? new Uint8Array(0)), 'a')
    piece[2] = 0x78
    assert.equal(toText(lines.next().value ?? new Uint8Array(0)), 'x')
  })

  it('is empty after the end', () => {
    const { add, end } = splitter()
    assert.deepEqual([...add(toBytes('abc'))], [])
    assert.equal(toText(end()), 'abc')
    assert.equal(toText(end()), '')
    assert.deepEqual([...add(toBytes('d\n'))].map(toText), ['d'])
  })

  it('shares the memory of a line that lies in one piece', () => {
    const piece = toBytes('a\nbc\nd')
    const [, line] = [...splitter().add(piece)]
    assert.equal(line?.buffer, piece.buffer)
  })

  it('takes a line of as many bytes as the bound, in one piece or in several', () => {
    for (const pieces of [['abc\n'], ['ab', 'c\n'], ['abc', '\n'], ['a', 'b', 'c', '\nabc\n']]) {
      const { add } = splitter(3)
      const lines = pieces.flatMap((piece) => [...add(toBytes(piece))])
      assert.equal(toText(lines[0] ?? new Uint8Array(0)), 'abc')
    }
  })

  it('joins a line of 11 MB that comes in pieces', () => {
    const { add } = splitter(16 * 1024 * 1024)
    const piece = new Uint8Array(65_536).fill(0x61)
    for (let index = 0; index < 170; index++) assert.deepEqual([...add(piece)], [])
    const [line, rest] = [...add(toBytes('\nb\n'))]
    assert.equal(line?.length, 170 * 65_536)
    assert.deepEqual(rest, toBytes('b'))
  })

  it('refuses a longer one as soon as it is known, behind the lines before it', () => {
    for (const pieces of [['a\nb\nabcd\nc\n'], ['a\nb\nab', 'cd'], ['a\nb\n', 'a', 'b', 'c', 'd']]) {
      const { add } = splitter(3)
      const seen: string[] = []
      assert.throws(() => {
        for (const piece of pieces) for (const line of add(toBytes(piece))) seen.push(toText(line))
      }, RangeError)
      assert.deepEqual(seen, ['a', 'b'])
    }
  })
})
