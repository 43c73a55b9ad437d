import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTraceBook } from '#shared/observe/telemetry/trace_book.ts'

describe('createTraceBook()', () => {
  it('joins what the ingest and the hub saw, in either order', () => {
    const book = createTraceBook()
    book.committed('flight', 1, { acceptedAt: 10, committedAt: 12 })
    book.seen('flight', 1, { seenAt: 13, listeners: 0 })
    assert.deepEqual(book.find('flight', 1), { acceptedAt: 10, committedAt: 12, seenAt: 13, listeners: 0 })
    book.seen('flight', 2, { seenAt: 20, listeners: 5 })
    assert.deepEqual(book.find('flight', 2), { seenAt: 20, listeners: 5 })
    book.committed('flight', 2, { acceptedAt: 18, committedAt: 21 })
    assert.deepEqual(book.find('flight', 2), { acceptedAt: 18, committedAt: 21, seenAt: 20, listeners: 5 })
  })

  it('knows nothing of others', () => {
    const book = createTraceBook()
    book.committed('flight', 1, { acceptedAt: 10, committedAt: 12 })
    for (const [event, sequence] of [
      ['mars', 1],
      ['flight', 2],
      ['flight', 0],
      ['flight', 1 + 16_384],
    ] as const) {
      assert.deepEqual(book.find(event, sequence), {}, `${event}@${sequence}`)
    }
  })

  it('keeps the newest, in bounded memory', () => {
    const book = createTraceBook()
    for (let sequence = 1; sequence <= 100_000; sequence++) {
      book.committed('flight', sequence, { acceptedAt: sequence, committedAt: sequence })
    }
    assert.deepEqual(book.find('flight', 1), {})
    assert.deepEqual(book.find('flight', 100_000 - 16_384), {})
    assert.equal(book.find('flight', 100_000 - 16_383).acceptedAt, 100_000 - 16_383)
    book.seen('flight', 1, { seenAt: 5, listeners: 1 })
    assert.deepEqual(book.find('flight', 1), {}, 'what comes late does not push out what is new')
    const sameLine = 1 + 6 * 16_384
    assert.deepEqual(book.find('flight', sameLine), { acceptedAt: sameLine, committedAt: sameLine })
    for (let event = 0; event < 1_000; event++)
      book.committed(`event${event}`, 1, { acceptedAt: 1, committedAt: 1 })
    assert.deepEqual(book.find('event999', 1), {})
  })
})
