import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseRunId, runId } from '#shared/runs/run_id.ts'

describe('runId()', () => {
  it('has the event type and the values in the order of the names', () => {
    const fields = { time: '12', class: 'od', date: '20260601', step: '3' }
    assert.equal(runId('mars', ['class', 'date', 'time'], fields), 'mars:od,20260601,12')
    assert.equal(runId('mars', ['class', 'other'], fields), 'mars:od,')
  })

  it('is safe in a path, whatever the values', () => {
    const id = runId('a', ['x', 'y'], { x: '../b,c:d', y: "é%2F?#'(*)!~" })
    assert.match(id, /^[\w.,:%-]+$/)
    assert.equal(new URL(`http://host/api/v1/runs/${id}`).pathname, `/api/v1/runs/${id}`)
  })

  it('reads back, and is another one for other values', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), (values) => {
        const fields = Object.fromEntries(values.map((value, index) => [`f${index}`, value]))
        const id = runId('mars', Object.keys(fields), fields)
        assert.deepEqual(parseRunId(id), {
          event: 'mars',
          values: values.map((value) => value.toWellFormed()),
        })
      }),
      { seed: 16 },
    )
  })
})

describe('parseRunId()', () => {
  for (const text of [
    '',
    'mars',
    ':a',
    'mars:a%2',
    'mars:%61',
    'mars:a/b',
    'mars:a b',
    `mars:${'a'.repeat(9000)}`,
  ])
    it(`refuses ${text.slice(0, 20)}`, () => assert.equal(parseRunId(text), undefined))
})
