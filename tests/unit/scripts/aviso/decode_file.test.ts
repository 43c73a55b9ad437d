import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeFile } from '../../../../scripts/aviso/decode_file.ts'

describe('decodeFile()', () => {
  it('keeps every character, a byte order mark too', () => {
    assert.equal(decodeFile(Buffer.from('\uFEFFItäly\u0000')), '\uFEFFItäly\u0000')
  })

  it('refuses other encodings: nothing would ever match an invented character', () => {
    assert.throws(
      () => decodeFile(Buffer.from('It\u00E4ly', 'latin1')),
      /^Error: it is not UTF-8: save it as UTF-8$/,
    )
    assert.throws(() => decodeFile(Buffer.from('\uFEFFlisteners:', 'utf16le')), /UTF-16, as PowerShell/)
  })
})
