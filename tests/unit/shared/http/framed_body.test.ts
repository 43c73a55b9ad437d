import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { joinBytes, toBytes } from '#shared/bytes/bytes.ts'
import { frameLine, readFrames, type FramedPart } from '#shared/http/framed_body.ts'

const DATA = new Uint8Array([0x0a, 0x7b, 0, 255, 0x0a])
const BODY = joinBytes(
  [frameLine({ progress: 1 }), frameLine({ bytes: DATA.length }), DATA, frameLine({ end: true })],
  undefined,
)

async function* cut(body: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size)
}

async function read(body: Uint8Array, size = 3): Promise<{ lines: unknown[]; bytes: number[] }> {
  const lines: unknown[] = []
  const bytes: number[] = []
  const take = (part: FramedPart): void => {
    if (part.kind === 'line') lines.push(part.line)
    else bytes.push(...part.bytes)
  }
  for await (const part of readFrames(cut(body, size))) take(part)
  return { lines, bytes }
}

describe('readFrames()', () => {
  for (const size of [1, 2, 7, 1_000]) {
    it(`takes a body apart that comes in pieces of ${size} bytes`, async () => {
      const { lines, bytes } = await read(BODY, size)
      assert.deepEqual(lines, [{ progress: 1 }, { end: true }])
      assert.deepEqual(bytes, [...DATA])
    })
  }
  it('refuses a body that ends within bytes or within a line', async () => {
    const start = frameLine({ progress: 1 }).length
    for (const length of [start + 3, BODY.length - 1, start + frameLine({ bytes: 5 }).length + 2])
      await assert.rejects(read(BODY.subarray(0, length)), /ends within a frame/)
  })
  it('refuses a line that is no object, or too long', async () => {
    await assert.rejects(read(toBytes('[1]\n')), /not a JSON object/)
    await assert.rejects(read(toBytes(`{"a":"${'x'.repeat(70_000)}"}\n`), 1_000), /too long/)
  })
})
