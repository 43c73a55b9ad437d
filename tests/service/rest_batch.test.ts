import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { dissemination, setUp } from './rest_fixture.ts'

const BATCH = { 'content-type': 'application/cloudevents-batch+json' }

/** A valid event with an id and a step of its own. */
function numbered(step: number, attributes: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...dissemination({ step: String(step) }), id: `id-${String(step)}`, ...attributes }
}

/** The results of an answer. */
function resultsOf(body: Readonly<Record<string, unknown>>): readonly Record<string, unknown>[] {
  return body['results'] as Record<string, unknown>[]
}

describe('POST /api/v1/notification, a batch', () => {
  it('stores all of it in one call, in order, with a result each', async () => {
    const { post, items, calls } = setUp()
    const { status, body } = await post([numbered(1), numbered(2), numbered(3)], BATCH)
    assert.equal(status, 200)
    assert.equal(body['message'], 'Notification successfully submitted')
    assert.deepEqual(calls, [3])
    assert.deepEqual(
      items.map(({ id }) => id),
      ['id-1', 'id-2', 'id-3'],
    )
    assert.deepEqual(
      resultsOf(body).map(({ index, status: itemStatus, id }) => ({ index, itemStatus, id })),
      [1, 2, 3].map((sequence, index) => ({ index, itemStatus: 200, id: `dissemination@${sequence}` })),
    )
  })

  it('takes both generations in one batch, and any content type', async () => {
    const { post, items } = setUp()
    const { event_type, identifier } = {
      event_type: 'mars',
      identifier: {
        class: 'od',
        date: '20190810',
        domain: 'g',
        expver: '1',
        step: '1',
        stream: 'enfo',
        time: '0',
      },
    }
    const { status } = await post([numbered(1), { event_type, identifier, payload: { a: 1 } }])
    assert.equal(status, 200)
    assert.deepEqual(
      items.map(({ event }) => event),
      ['dissemination', 'mars'],
    )
  })

  it('names repeated items of a repeated batch by its Idempotency-Key', async () => {
    const { post, items } = setUp()
    const body = [1, 2].map((step) => ({
      event_type: 'mars',
      identifier: {
        class: 'od',
        date: '20190810',
        domain: 'g',
        expver: '1',
        step,
        stream: 'enfo',
        time: '0',
      },
    }))
    await post(body, { 'idempotency-key': 'run-1' })
    await post(body, { 'idempotency-key': 'run-1' })
    assert.deepEqual(
      items.map(({ id }) => id),
      ['run-1/0', 'run-1/1', 'run-1/0', 'run-1/1'],
    )
  })

  it('is refused whole, with every invalid item by its index, when one item is invalid', async () => {
    const { refuse } = setUp()
    const bad = numbered(2, { data: { event: 'dissemination', request: { step: '1' } } })
    const { status, body } = await refuse([numbered(1), bad, numbered(3), 'text', null], BATCH)
    assert.equal(status, 400)
    assert.equal(body['message'], 'Nothing was stored, 3 of 5 notifications are invalid')
    assert.deepEqual(
      resultsOf(body).map(({ index, status: itemStatus }) => [index, itemStatus]),
      [
        [1, 400],
        [3, 400],
        [4, 400],
      ],
    )
  })

  it('is refused when empty, too long, or too large', async () => {
    const { refuse } = setUp({ limits: { batchItems: 2, batchBytes: 4000, bodyBytes: 2000 } })
    assert.equal((await refuse([], BATCH)).status, 400)
    const tooLong = await refuse([numbered(1), numbered(2), numbered(3)], BATCH)
    assert.deepEqual([tooLong.status, tooLong.body['limit_items']], [413, 2])
    const large = numbered(1, { extension: 'x'.repeat(4000) })
    const tooLarge = await refuse([large], BATCH)
    assert.deepEqual([tooLarge.status, tooLarge.body['limit_bytes']], [413, 4000])
  })

  it('is refused as text that is no JSON, and when an item is too deep', async () => {
    const { refuse } = setUp()
    assert.equal((await refuse('[{]', BATCH)).status, 400)
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`
    assert.equal((await refuse(`[${deep}]`, BATCH)).status, 400)
  })

  it('tells which items were stored when the store fails in the middle', async () => {
    const unavailable = new AvisoError('ERR_STORE_UNAVAILABLE', 'The store cannot be reached')
    const unknown = new AvisoError('ERR_OUTCOME_UNKNOWN', 'The store did not answer')
    const failures = new Map([
      ['id-2', unavailable],
      ['id-3', unknown],
    ])
    const { post } = setUp({ failures })
    const { status, headers, body } = await post([numbered(1), numbered(2), numbered(3)], BATCH)
    assert.equal(status, 503)
    assert.ok(headers.has('retry-after'))
    assert.equal(body['outcome'], 'see_results')
    assert.deepEqual(
      resultsOf(body).map(({ status: itemStatus, outcome }) => [itemStatus, outcome]),
      [
        [200, undefined],
        [503, 'none'],
        [503, 'unknown'],
      ],
    )
  })

  it('skips what configuration skips, and says so per item', async () => {
    const { post, items } = setUp({ skips: { step: ['1'] } })
    const { body } = await post([numbered(1), numbered(2)], BATCH)
    assert.deepEqual(
      resultsOf(body).map(({ skipped }) => skipped),
      [true, undefined],
    )
    assert.equal(items.length, 1)
  })

  it('refuses an event in it that relies on binary mode headers', async () => {
    const { refuse } = setUp()
    const headers = { ...BATCH, 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'aviso' }
    const { status } = await refuse([{ event: 'mars', request: {} }], headers)
    assert.equal(status, 400)
  })
})
