import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { encodeOwnJournal, parseJournal } from '#shared/journal/codec.ts'
import type { JournalBatch } from '#shared/journal/journal.ts'
import { createRecentJournals } from '#shared/journal/recent.ts'

const KEY = '/_aviso/journal/mars'
const batchOf = (batch: string): JournalBatch => ({
  batch,
  at: '2026-11-24T10:00:00.123Z',
  prev: '0',
  first_seq: 1,
  events: [],
})
const BATCH = batchOf('b')

describe('createRecentJournals()', () => {
  it('knows a value by its whole text', () => {
    const recent = createRecentJournals()
    const text = 'x'.repeat(100)
    recent.add(text, BATCH)
    assert.equal(recent.get(text), BATCH)
    for (const other of [`${text} `, text.slice(1), `${text.slice(1)}y`, ''])
      assert.equal(recent.get(other), undefined)
  })

  it('keeps the newest, as far as there is room', () => {
    const recent = createRecentJournals()
    const texts = Array.from({ length: 100 }, (_, index) => `${index} `.padEnd(8 * 1024, 'x'))
    for (const [index, text] of texts.entries()) recent.add(text, batchOf(`${index}`))
    const known = texts.filter((text) => recent.get(text) !== undefined)
    assert.deepEqual(known, texts.slice(-32))
    assert.equal(recent.get(texts.at(-1) ?? '')?.batch, '99')
  })

  it('counts a value once that is added again, and leaves out one that is too long', () => {
    const recent = createRecentJournals()
    for (let time = 0; time < 100; time++) recent.add('x'.repeat(100 * 1024), BATCH)
    recent.add('y'.repeat(100 * 1024), BATCH)
    recent.add('z'.repeat(1024 * 1024), BATCH)
    const isKnown = (letter: string, kibibytes: number): boolean =>
      recent.get(letter.repeat(kibibytes * 1024)) !== undefined
    assert.deepEqual([isKnown('x', 100), isKnown('y', 100), isKnown('z', 1024)], [true, true, false])
  })
})

describe('parseJournal(), of what was there a moment ago', () => {
  it('gives what was read before, or committed by this process', () => {
    const own = batchOf('own')
    assert.equal(parseJournal(encodeOwnJournal(own), KEY), own)
    const bytes = toBytes(JSON.stringify(batchOf('other')))
    assert.equal(parseJournal(bytes, KEY), parseJournal(bytes, KEY))
  })

  it('reads a value that differs in one place', () => {
    const own = batchOf('own')
    encodeOwnJournal(own)
    const other = parseJournal(toBytes(JSON.stringify({ ...own, first_seq: 2 })), KEY)
    assert.deepEqual(other, { ...own, first_seq: 2 })
  })
})
