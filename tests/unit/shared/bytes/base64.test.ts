import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { binaryToBytes, decodeBase64, decodeTrustedBase64, encodeBase64 } from '#shared/bytes/base64.ts'
import { toBytes } from '#shared/bytes/bytes.ts'

/** Bytes of every length up to `most`, all values among them. */
function binaries(most: number): Uint8Array[] {
  return Array.from({ length: most + 1 }, (_, length) =>
    Uint8Array.from({ length }, (_, index) => (index * 37 + length * 101) % 256),
  )
}

/** What the standard function says, one byte a character. */
function reference(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** As a runtime without `Uint8Array.toBase64` does it. */
function encodeWithoutNative(bytes: Uint8Array): string {
  return encodeBase64(Object.defineProperty(bytes.slice(), 'toBase64', { value: undefined }))
}

describe('encodeBase64()', () => {
  it('encodes bytes of any length and value', () => {
    for (const bytes of binaries(200)) {
      assert.equal(encodeBase64(bytes), reference(bytes))
      assert.equal(encodeWithoutNative(bytes), reference(bytes))
    }
  })

  it('encodes text of any script', () => {
    const texts = [
      '',
      'f',
      'fo',
      'foo',
      'foob',
      'fooba',
      'foobar',
      '/ec/mars/date=20260810',
      'Zürich',
      '日本',
      '🌍',
    ]
    for (const text of texts) assert.equal(encodeWithoutNative(toBytes(text)), reference(toBytes(text)))
  })

  it('is not misled by bytes that a decoder replaces, one character each', () => {
    for (const bytes of [
      [0xff],
      [0xff, 0xfe, 0x41],
      [0xf0, 0x9f, 0x98],
      [0xef, 0xbf, 0xbd],
      [0xef, 0xbb, 0xbf],
    ]) {
      assert.equal(encodeWithoutNative(Uint8Array.from(bytes)), reference(Uint8Array.from(bytes)))
    }
  })
})

describe('decodeBase64()', () => {
  it('decodes what was encoded', () => {
    for (const bytes of binaries(200)) assert.deepEqual(decodeBase64(reference(bytes)), bytes)
    assert.deepEqual(decodeBase64(reference(toBytes('Zürich 🌍'))), toBytes('Zürich 🌍'))
  })

  it('refuses every other spelling of the same bytes', () => {
    assert.deepEqual(decodeBase64('QQ=='), toBytes('A'))
    for (const text of ['QQ', 'QQ=', 'QR==', 'QUJ=', ' QQ==', 'QQ==\n', 'Q Q==', 'QQ===', 'QQ==QQ==']) {
      assert.equal(decodeBase64(text), undefined, JSON.stringify(text))
    }
  })

  it('refuses what is not base64', () => {
    for (const text of ['-_-_', 'Q', '====', '=', 'Q=Q=', '日本語文', 'QQ.='])
      assert.equal(decodeBase64(text), undefined, text)
    assert.deepEqual(decodeBase64(''), new Uint8Array(0))
  })
})

describe('decodeTrustedBase64()', () => {
  it('decodes what was encoded, with and without the native function', () => {
    for (const bytes of binaries(200)) {
      assert.deepEqual(Uint8Array.from(decodeTrustedBase64(reference(bytes))), bytes)
      assert.deepEqual(binaryToBytes(atob(reference(bytes))), bytes)
    }
  })

  it('throws for what is not base64', () => {
    for (const text of ['Q', '-_-_', 'Q=Q=', '日本語文']) assert.throws(() => decodeTrustedBase64(text), text)
  })
})

describe('binaryToBytes()', () => {
  it('makes one byte of each character, of ASCII and of the rest, at every length', () => {
    for (let length = 0; length <= 300; length++) {
      const ascii = 'a'.repeat(length)
      const mixed = `${ascii}\u00ff`
      assert.deepEqual(binaryToBytes(ascii), new Uint8Array(length).fill(0x61))
      assert.deepEqual(binaryToBytes(mixed), Uint8Array.from([...new Uint8Array(length).fill(0x61), 0xff]))
    }
  })
})
