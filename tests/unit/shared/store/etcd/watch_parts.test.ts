import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { joinBytes } from '#shared/bytes/bytes.ts'
import { MessageReader, type MessageParts } from '#shared/store/etcd/grpc_frames.ts'
import { decodeWatchMessage, PackedEvents } from '#shared/store/etcd/packed_events.ts'
import { PART_BYTES, WatchParts } from '#shared/store/etcd/watch_parts.ts'
import type { StoreEvent } from '#shared/store/store.ts'

/** A field of bytes, as protobuf writes it. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  return joinBytes([new Uint8Array([(number << 3) | 2]), varint(bytes.length), bytes])
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return new Uint8Array([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

const HEADER = field(1, new Uint8Array([0x18, 0x07]))

/** An event of a revision, with a value of so many bytes. */
function event(revision: number, bytes: number): Uint8Array {
  const kv = joinBytes([
    field(1, new Uint8Array([0x6b])),
    new Uint8Array([0x18]),
    varint(revision),
    field(5, new Uint8Array(bytes).fill(revision % 256)),
  ])
  return field(11, field(2, kv))
}

/** The messages that a reader makes of a message that comes in pieces. */
function read(message: Uint8Array, pieceBytes: number): Readonly<Record<string, unknown>>[] {
  const head = new Uint8Array(5)
  new DataView(head.buffer).setUint32(1, message.length)
  const bytes = joinBytes([head, message])
  const reader = new MessageReader(2 ** 30, {
    bytes: PART_BYTES,
    begin: (): MessageParts => new WatchParts(),
  })
  const read: Readonly<Record<string, unknown>>[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    for (const part of reader.add(bytes.subarray(at, at + pieceBytes))) read.push(decodeWatchMessage(part))
  assert.equal(reader.isWithin, false)
  return read
}

function eventsOf({ events }: Readonly<Record<string, unknown>>): StoreEvent[] {
  assert.ok(events instanceof PackedEvents)
  return [...events]
}

describe('WatchParts', () => {
  for (const [name, sizes] of [
    ['small events', Array.from({ length: 3_000 }, (_, index) => index % 150)],
    ['an event that is larger than a part', [10, 3 * PART_BYTES, 20, 30, 2 * PART_BYTES]],
    ['one large event', [3 * PART_BYTES]],
  ] as const) {
    it(`give the events of the whole message: ${name}`, () => {
      const message = joinBytes([HEADER, ...sizes.map((bytes, index) => event(1 + (index >> 2), bytes))])
      const whole = eventsOf(decodeWatchMessage(message))
      for (const pieceBytes of [997, 16_384, 100_000, message.length + 5]) {
        const parts = read(message, pieceBytes)
        assert.deepEqual(parts.flatMap(eventsOf), whole)
        assert.ok(parts.every(({ header }) => (header as { revision: bigint }).revision === 7n))
        // The last revision of every part but the last goes on, as far as its reader knows.
        assert.deepEqual(
          parts.map(({ fragment }) => fragment),
          [...parts.slice(1).map(() => true), undefined],
        )
        if (name === 'small events' && pieceBytes === 16_384) assert.ok(parts.length >= 4)
      }
    })
  }

  it('leave alone what etcd says of a part of its own', () => {
    const events = Array.from({ length: 2_000 }, (_, index) => event(1 + index, 100))
    const parts = read(joinBytes([HEADER, new Uint8Array([0x38, 1]), ...events]), 16_384)
    assert.ok(parts.length > 1)
    assert.ok(parts.every(({ fragment }) => fragment === true))
  })
})
