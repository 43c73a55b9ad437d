import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { encodeJournal, fingerprint, parseJournal } from '#shared/journal/codec.ts'
import type { JournalBatch } from '#shared/journal/journal.ts'
import { toBytes } from '#shared/store/bytes.ts'

const KEY = '/_aviso/journal/mars'
const BATCH: JournalBatch = {
  batch: 'b-1',
  at: '2026-11-24T10:00:00.123Z',
  prev: '0',
  first_seq: 7,
  events: [
    { key: '/k/ü', seq: 7, id: '1', source: 's', hash: 'aa', time: '2026', traceparent: '00-1' },
    { key: '/k/b', seq: 8, id: '2', source: '', hash: 'bb' },
  ],
}

describe('parseJournal()', () => {
  it('reads what encodeJournal() wrote', () => {
    assert.deepEqual(parseJournal(encodeJournal(BATCH), KEY), BATCH)
  })

  it('lets members of newer versions pass', () => {
    const newer = { ...BATCH, extra: 1, events: BATCH.events.map((event) => ({ ...event, extra: [] })) }
    assert.equal(parseJournal(toBytes(JSON.stringify(newer)), KEY).first_seq, 7)
  })

  const [event] = BATCH.events
  const foreign: Record<string, unknown> = {
    'no object': [],
    null: null,
    'no batch id': { ...BATCH, batch: undefined },
    'a time without milliseconds': { ...BATCH, at: '2026-11-24T10:00:00Z' },
    'a time that is none': { ...BATCH, at: '2026-13-44T10:00:00.000Z' },
    'a negative predecessor': { ...BATCH, prev: '-1' },
    'a predecessor that is a number': { ...BATCH, prev: 1 },
    'a number from 0': { ...BATCH, first_seq: 0, events: [] },
    'a fraction as number': { ...BATCH, first_seq: 1.5, events: [] },
    'no events': { ...BATCH, events: undefined },
    'numbers with a gap': { ...BATCH, events: [{ ...event, seq: 9 }] },
    'an event without key': { ...BATCH, events: [{ ...event, key: undefined }] },
    'a time that is no text': { ...BATCH, events: [{ ...event, time: 3 }] },
  }
  for (const [what, value] of Object.entries(foreign)) {
    it(`refuses ${what}, naming the key`, () => {
      assert.throws(() => parseJournal(toBytes(JSON.stringify(value)), KEY), isForeign)
    })
  }

  it('refuses bytes that are no UTF-8 or no JSON', () => {
    for (const bytes of [new Uint8Array(), new Uint8Array([0x22, 0xff, 0x22]), toBytes('{')]) {
      assert.throws(() => parseJournal(bytes, KEY), isForeign)
    }
  })
})

function isForeign(error: unknown): boolean {
  return isAvisoError(error, 'ERR_STORE_PROTOCOL') && error.message.includes(KEY)
}

describe('fingerprint()', () => {
  it('is stored, so it stays what it is', () => {
    assert.equal(fingerprint(toBytes('s3://data')), 'a9b08c693c08f5df')
    assert.match(fingerprint(toBytes('')), /^[0-9a-f]{16}$/)
  })

  it('tells texts apart that differ little', () => {
    const texts = new Set<string>()
    for (let number = 0; number < 20_000; number++)
      texts.add(`s3://data.example/${number}`).add(`${'a'.repeat(number % 300)}${number}`)
    const prints = new Set([...texts].map((text) => fingerprint(toBytes(text))))
    assert.equal(prints.size, texts.size)
    const halves = new Set([...prints].map((print) => print.slice(8)))
    assert.ok(halves.size > texts.size * 0.999)
  })

  it('changes with every single byte', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, place, change) => {
          const other = bytes.slice()
          const index = place % bytes.length
          other[index] = (other[index] ?? 0) ^ change
          assert.notEqual(fingerprint(other), fingerprint(bytes))
        },
      ),
      { numRuns: 500 },
    )
  })
})
