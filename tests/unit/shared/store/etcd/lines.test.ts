import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createLineReader } from '#shared/store/etcd/lines.ts'

const TEXT = '{"a":1}\n{"b":"é𝄞"}\n\n{"error":{"message":"without end"}}'
const LINES = ['{"a":1}', '{"b":"é𝄞"}', '', '{"error":{"message":"without end"}}']

async function linesOf(pieces: readonly Uint8Array[]): Promise<string[]> {
  const left = [...pieces]
  const reader = createLineReader(() => Promise.resolve(left.shift()))
  const lines: string[] = []
  for (let more = await reader.next(); more !== undefined; more = await reader.next()) lines.push(...more)
  assert.equal(await reader.next(), undefined)
  return lines
}

describe('createLineReader()', () => {
  it('finds the same lines wherever the pieces are cut', async () => {
    const bytes = toBytes(TEXT)
    for (let cut = 0; cut <= bytes.length; cut++)
      assert.deepEqual(await linesOf([bytes.slice(0, cut), bytes.slice(cut)]), LINES)
    assert.deepEqual(await linesOf([...bytes].map((byte) => Uint8Array.of(byte))), LINES)
  })

  it('gives no empty line at the end of terminated text', async () => {
    assert.deepEqual(await linesOf([toBytes('a\nb\n')]), ['a', 'b'])
    assert.deepEqual(await linesOf([]), [])
  })

  it('gives every line as soon as it is complete', async () => {
    const pieces = [toBytes('a\nb\nc'), toBytes('c\n')]
    const reader = createLineReader(() => Promise.resolve(pieces.shift()))
    assert.deepEqual(await reader.next(), ['a', 'b'])
    assert.deepEqual(await reader.next(), ['cc'])
    assert.equal(await reader.next(), undefined)
  })

  it('takes a line of 11 MB in pieces', async () => {
    const piece = new Uint8Array(65_536).fill(0x61)
    const [line, rest] = await linesOf([...Array.from({ length: 170 }, () => piece), toBytes('\nb\n')])
    assert.equal(line?.length, 170 * 65_536)
    assert.equal(rest, 'b')
  })

  it('gives up on a line that does not end', async () => {
    const piece = new Uint8Array(8 * 1024 * 1024)
    let given = 0
    const reader = createLineReader(() => Promise.resolve(given++ < 20 ? piece : undefined))
    await assert.rejects(
      async () => {
        while ((await reader.next()) !== undefined);
      },
      (error) => isAvisoError(error, 'ERR_STORE_PROTOCOL'),
    )
    assert.equal(given, 9)
  })
})
