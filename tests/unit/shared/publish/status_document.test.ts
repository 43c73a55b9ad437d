import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  createStatusCache,
  nextStatus,
  NO_STATUS,
  readStatus,
  type Status,
} from '#shared/publish/status_document.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

const identity = { unixUser: 'é"', hostname: 'host', version: '3.0' }
const next = (previous: Status, at: string) => nextStatus(previous, { stem: '/k', at, identity })
const read = (value: string, modRevision = 9n): Status =>
  readStatus({
    key: toBytes('/b/'),
    value: toBytes(value),
    modRevision,
    createRevision: 1n,
    version: 1n,
    lease: 0n,
  })

describe('nextStatus()', () => {
  it('writes what json.dumps writes', () => {
    assert.equal(
      next(NO_STATUS, '2026-11-21T22:33:03.983Z').text,
      '{"etcd_user": null, "message": "notification to key /k", "unix_user": "\\u00e9\\"", "aviso_version": "3.0", ' +
        '"engine": "ETCD_REST", "hostname": "host", "date_time": "2026-11-21T22:33:03.983000Z"}',
    )
  })

  it('links revisions and days as 1.x does', () => {
    const dates = ['08-28T10:58', '08-28T15:58', '08-28T20:58', '08-29T10:58', '08-29T15:58']
    let status: Status = NO_STATUS
    const links: unknown[] = []
    for (const [index, date] of dates.entries()) {
      const document = next(status, `2026-${date}:00.000Z`)
      const { prev_rev: previous, last_prev_day_rev: day } = JSON.parse(document.text) as Record<
        string,
        unknown
      >
      links.push([previous, day])
      status = { revision: BigInt(100 + index), ...document.days }
      assert.deepEqual(
        status,
        read(document.text, BigInt(100 + index)),
        'what is remembered is what would be read',
      )
    }
    assert.deepEqual(links, [
      [undefined, undefined],
      [100, undefined],
      [101, undefined],
      [102, 102],
      [103, 102],
    ])
  })
})

describe('readStatus()', () => {
  it('keeps the revision of a document it does not understand', () => {
    for (const text of [
      '',
      'x',
      'null',
      '[]',
      '{}',
      '{"date_time": 1}',
      '{"date_time": "2026-01-01", "last_prev_day_rev": 4}',
    ]) {
      assert.deepEqual(read(text), { revision: 9n }, text)
    }
    assert.deepEqual(read('{"date_time": "2026-01-01T00:00:00.5Z", "last_prev_day_rev": "4"}'), {
      revision: 9n,
      day: '2026-01-01',
    })
    assert.equal(readStatus(undefined), NO_STATUS)
  })
})

describe('createStatusCache()', () => {
  it('is bounded and forgets the oldest', () => {
    const cache = createStatusCache()
    for (let number = 0; number < 10_001; number++) cache.set(`/b${number}/`, { revision: 1n })
    assert.equal(cache.get('/b0/'), NO_STATUS)
    assert.deepEqual(cache.get('/b1/'), { revision: 1n })
  })
})
