import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chooseType } from '#shared/http/accept.ts'

const STREAMS = ['text/event-stream', 'application/x-ndjson'] as const

/** RFC 9110 §12.5.1, row by row. */
const ROWS: readonly (readonly [accept: string | null, chosen: string | undefined])[] = [
  [null, 'text/event-stream'],
  ['', 'text/event-stream'],
  ['*/*', 'text/event-stream'],
  ['text/*', 'text/event-stream'],
  ['application/*', 'application/x-ndjson'],
  ['application/x-ndjson', 'application/x-ndjson'],
  ['APPLICATION/X-NDJSON', 'application/x-ndjson'],
  ['text/event-stream;q=0.5, application/x-ndjson', 'application/x-ndjson'],
  ['application/x-ndjson;q=0.1, text/event-stream', 'text/event-stream'],
  ['application/x-ndjson;q=0, text/event-stream', 'text/event-stream'],
  ['application/x-ndjson;q=0', undefined],
  ['application/x-ndjson;q=0, */*', 'text/event-stream'],
  ['text/event-stream;q=0, */*;q=0.1', 'application/x-ndjson'],
  // The most specific range decides, not the highest quality.
  ['text/*;q=0.9, text/event-stream;q=0.1, application/x-ndjson;q=0.5', 'application/x-ndjson'],
  ['application/x-ndjson ; q=1.000 , text/event-stream ; q=0.999', 'application/x-ndjson'],
  ['application/x-ndjson;charset=utf-8', 'application/x-ndjson'],
  ['text/html, image/png', undefined],
  ['application/json', undefined],
  // A name is no part of another name.
  ['application/x-ndjson-seq', undefined],
  ['application/x-ndjson;version=2', undefined],
  ['text/plain;note="a, application/x-ndjson", text/event-stream', 'text/event-stream'],
  ['nonsense', 'text/event-stream'],
  [', ,text/event-stream,', 'text/event-stream'],
]

describe('chooseType()', () => {
  for (const [accept, chosen] of ROWS) {
    it(`chooses ${chosen} for ${JSON.stringify(accept)}`, () => {
      assert.equal(chooseType(accept, STREAMS), chosen)
    })
  }
})
