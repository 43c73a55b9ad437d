import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { hintFor, LINES_TYPE, withHint } from '#shared/http/slips.ts'

const JSON_TEXT = '{"event_type":"flight","identifier":{"country":"Italy"}}'
const FORM = 'application/x-www-form-urlencoded'
const utf16 = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length * 2 }, (_, index) =>
    index % 2 === 0 ? text.charCodeAt(index / 2) : 0,
  )

/** A body as a slip makes it, its media type, and words of the hint. */
const ROWS: readonly (readonly [
  what: string,
  body: string | Uint8Array,
  type: string,
  hint: RegExp | undefined,
])[] = [
  ['curl -d " @file"', '@notification.json', FORM, /--data-binary @FILE/],
  ['a byte order mark', `\ufeff${JSON_TEXT}`, 'application/json', /byte order mark/],
  ['a file of PowerShell', new Uint8Array([0xff, 0xfe, ...utf16(JSON_TEXT)]), '', /UTF-16/],
  ['the same without a mark', utf16(JSON_TEXT), '', /UTF-16/],
  ['gzip', new Uint8Array([0x1f, 0x8b, 8, 0]), '', /compressed/],
  ['single quotes on Windows', `'${JSON_TEXT}'`, FORM, /Windows/],
  ['quotes that a shell took away', '{event_type:flight,identifier:{country:Italy}}', FORM, /shell/],
  ['quotes that PowerShell escaped', '{\\"event_type\\":\\"flight\\"}', FORM, /shell/],
  ['a dict of Python', "{'event_type': 'flight'}", 'application/json', /json\.dumps/],
  ['a list of dicts', "[{'event_type': 'flight'}]", 'application/json', /json\.dumps/],
  ['curl -d event=flight', 'event=flight&country=Italy', FORM, /encoded form/],
  ['curl --data-urlencode', '%7B%22event_type%22%3A1%7D', FORM, /encoded form/],
  ['curl -F', '--x1\r\nContent-Disposition: form-data; name="a"\r\n', 'multipart/form-data', /curl -F/],
  ['XML', '<notification/>', 'application/xml', /XML/],
  ['YAML', 'event_type: flight\n', 'application/yaml', /YAML/],
  ['lines as one document', `${JSON_TEXT}\n${JSON_TEXT}\n`, 'application/json', /application\/x-ndjson/],
  ['lines that curl -d joined', JSON_TEXT + JSON_TEXT, LINES_TYPE, /--data-binary/],
  ['a document over several lines', '{', LINES_TYPE, /one line/],
  ['something else', '{"a":tru}', 'application/json', undefined],
  ['nothing', '', 'application/json', undefined],
]

describe('hintFor()', () => {
  for (const [what, body, type, hint] of ROWS) {
    it(`knows ${what}`, () => {
      const found = hintFor({ bytes: typeof body === 'string' ? toBytes(body) : body, type })
      if (hint === undefined) assert.equal(found, undefined)
      else assert.match(found ?? '', hint)
    })
  }
})

describe('withHint()', () => {
  const sent = { bytes: toBytes('@file'), type: FORM }

  it('adds the hint beside what is known already', () => {
    const error = new AvisoError('ERR_INVALID_JSON', 'no', { details: { offset: 0 } })
    const hinted = withHint(error, sent)
    assert.ok(hinted instanceof AvisoError)
    assert.deepEqual([hinted.code, hinted.message, hinted.details['offset']], ['ERR_INVALID_JSON', 'no', 0])
    assert.match(String(hinted.details['hint']), /name of a file/)
  })

  it('leaves other errors alone', () => {
    const error = new AvisoError('ERR_TOO_LARGE', 'no')
    assert.equal(withHint(error, sent), error)
  })
})
