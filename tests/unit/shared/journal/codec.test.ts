import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isAvisoError } from '#shared/errors.ts'
import { encodeJournal, fingerprint, parseJournal } from '#shared/journal/codec.ts'
import { MAX_REVISION_NOTIFICATIONS, type JournalBatch } from '#shared/journal/journal.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'

const KEY = '/_aviso/journal/mars'
const BATCH: JournalBatch = {
  batch: 'b-1',
  at: '2026-11-24T10:00:00.123Z',
  prev: '0',
  first_seq: 7,
  events: [
    { key: '/k/ü', seq: 7, id: '1', source: 's', hash: 'aa', time: '2026', traceparent: '00-1' },
    {
      key: '/k/b',
      seq: 8,
      id: '2',
      source: '',
      hash: 'bb',
      payload: 'empty',
      fields: { polygon: '[[1,2]]' },
    },
  ],
}

describe('parseJournal()', () => {
  it('reads what encodeJournal() wrote', () => {
    assert.deepEqual(parseJournal(encodeJournal(BATCH), KEY), BATCH)
  })

  it('reads any batch that encodeJournal() wrote', () => {
    const text = fc.oneof(
      fc.constantFrom('/a/b=1,c=2', '/a/b=2,c=2', '/a', ''),
      fc.string({ unit: 'binary' }),
    )
    const event = fc.record(
      { key: text, id: text, source: text, hash: text, time: text, traceparent: text },
      { requiredKeys: ['key', 'id', 'source', 'hash'] },
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), (events) => {
        const batch = { ...BATCH, events: events.map((one, place) => ({ ...one, seq: 7 + place })) }
        assert.deepEqual(parseJournal(encodeJournal(batch), KEY), batch)
      }),
    )
  })

  it('reads what is written in full', () => {
    assert.deepEqual(parseJournal(toBytes(JSON.stringify(BATCH)), KEY), {
      ...BATCH,
      // Left out is as before.
      events: [BATCH.events[0], { ...BATCH.events[1], time: '2026' }],
    })
  })

  it('reads the place in a revision of several event types; without it, or as 0, there is none', () => {
    const placed = { ...BATCH, place: MAX_REVISION_NOTIFICATIONS - 1 }
    assert.deepEqual(parseJournal(encodeJournal(placed), KEY), placed)
    assert.deepEqual(parseJournal(encodeJournal({ ...BATCH, place: 0 }), KEY), BATCH)
  })

  it('lets members of newer versions pass', () => {
    const newer = { ...BATCH, extra: 1, events: BATCH.events.map((event) => ({ ...event, extra: [] })) }
    assert.equal(parseJournal(toBytes(JSON.stringify(newer)), KEY).first_seq, 7)
    const kinds = BATCH.events.map((event) => ({ ...event, payload: 'newer' }))
    const [read] = parseJournal(toBytes(JSON.stringify({ ...BATCH, events: kinds })), KEY).events
    assert.equal(read?.payload, undefined)
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
    'a place before the first': { ...BATCH, place: -1 },
    'a fraction as place': { ...BATCH, place: 0.5 },
    'a place that no revision has room for': { ...BATCH, place: MAX_REVISION_NOTIFICATIONS },
    'no events': { ...BATCH, events: undefined },
    'fields that are no texts': { ...BATCH, events: [{ ...event, fields: { a: 1 } }] },
    'an event without key': { ...BATCH, events: [{ ...event, key: undefined }] },
    'a time that is no text': { ...BATCH, events: [{ ...event, time: 3 }] },
    'a first event without source': { ...BATCH, events: [{ ...event, source: undefined }] },
    'a first key that continues another': { ...BATCH, events: [{ ...event, key: [0, '/k', 0] }] },
    'a key that shares more than there is': { ...BATCH, events: [event, { ...event, key: [4, 'x', 2] }] },
    'a key that shares less than nothing': { ...BATCH, events: [event, { ...event, key: [-1, 'x', 0] }] },
    'a key that shares a part': { ...BATCH, events: [event, { ...event, key: [0.5, 'x', 0] }] },
    'a key without a middle': { ...BATCH, events: [event, { ...event, key: [1, 0, 0] }] },
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

describe('encodeJournal()', () => {
  it('writes once what events share', () => {
    const keys = ['/ec/mars/date=20260810,expver=0001,step=0', '/ec/mars/date=20260810,expver=0002,step=0']
    const events = keys.map((key, place) => ({
      key,
      seq: 7 + place,
      id: `${place}`,
      source: '/suite',
      hash: 'aa',
      time: '2026',
    }))
    const { events: written } = JSON.parse(toText(encodeJournal({ ...BATCH, events }))) as {
      events: unknown[]
    }
    assert.deepEqual(written, [
      { key: keys[0], id: '0', hash: 'aa', source: '/suite', time: '2026' },
      { key: [33, '2', 7], id: '1', hash: 'aa' },
    ])
  })
})

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
