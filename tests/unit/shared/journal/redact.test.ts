import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeJournal, parseJournal } from '#shared/journal/codec.ts'
import type { JournalBatch } from '#shared/journal/journal.ts'
import { redactJournal } from '#shared/journal/redact.ts'
import { toText } from '#shared/bytes/bytes.ts'

const BATCH: JournalBatch = {
  batch: 'b',
  at: '2026-08-10T12:00:00.000Z',
  prev: '4',
  first_seq: 7,
  place: 2,
  events: ['FOO', 'BAR', 'FOO'].map((name, index) => ({
    key: `/diss/${name}/${index}`,
    seq: 7 + index,
    id: `id of ${name}`,
    source: `source of ${name}`,
    hash: `hash of ${name}`,
    time: `time of ${name}`,
    traceparent: `trace of ${name}`,
  })),
}

describe('redactJournal()', () => {
  it('leaves of what may not be named its number alone', () => {
    const mayName = (key: Uint8Array): boolean => toText(key).startsWith('/diss/FOO/')
    const redacted = redactJournal(encodeJournal(BATCH), 'j', mayName)
    assert.doesNotMatch(toText(redacted), /BAR/)
    const [first, , third] = BATCH.events
    assert.deepEqual(parseJournal(redacted, 'j'), {
      ...BATCH,
      events: [first, { key: '', seq: 8, id: '', source: '', hash: '' }, third],
    })
  })

  it('changes nothing where everything may be named', () => {
    const value = encodeJournal(BATCH)
    assert.deepEqual(
      redactJournal(value, 'j', () => true),
      value,
    )
  })
})
