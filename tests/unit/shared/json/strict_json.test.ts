import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toBytes } from '#shared/bytes/bytes.ts'
import { AvisoError } from '#shared/errors.ts'
import { exactJsonText, isJsonObject, parseStrictJson, readStrictObject } from '#shared/json/strict_json.ts'
import type { JsonLimits, JsonObject, JsonValue } from '#shared/json/strict_json.ts'

const LIMITS: JsonLimits = { maxDepth: 16, maxNames: 64, maxArray: 1024, maxNumberDigits: 64 }

function parse(text: string, limits = LIMITS): JsonValue {
  return parseStrictJson(toBytes(text), limits)
}

function refusal(input: string | Uint8Array, limits = LIMITS): { reason: string; offset: unknown } {
  const bytes = typeof input === 'string' ? toBytes(input) : input
  try {
    parseStrictJson(bytes, limits)
  } catch (error) {
    assert.ok(error instanceof AvisoError, 'the error is typed')
    assert.equal(error.code, 'ERR_INVALID_JSON')
    return { reason: error.message, offset: error.details['offset'] }
  }
  return assert.fail(`accepted: ${typeof input === 'string' ? input.slice(0, 80) : [...input].join(' ')}`)
}

describe('parseStrictJson()', () => {
  it('agrees with JSON.parse on every document without traps', () => {
    const documents = fc.jsonValue({ depthSize: 'medium', maxDepth: 8 })
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, 1, '\t'), (document, indent) => {
        const text = JSON.stringify(document, null, indent)
        if (/__proto__|constructor|prototype/.test(text)) return
        const hasLargeInteger = /(?:^|[\s,:[])-?\d{16}/.test(text)
        if (hasLargeInteger) return
        assert.deepEqual(parse(text, { maxDepth: 16 }), JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses whatever JSON.parse refuses, and never accepts it in another meaning', () => {
    const noise = fc.array(fc.constantFrom(...Array.from('{}[]:,"\\u0041dtrue null-1.e+9 \n/\'x')), {
      maxLength: 24,
    })
    fc.assert(
      fc.property(noise, (characters) => {
        const text = characters.join('')
        let expected: unknown
        try {
          expected = JSON.parse(text)
        } catch {
          refusal(text)
          return
        }
        try {
          assert.deepEqual(parse(text), expected)
        } catch (error) {
          // What strictness adds: duplicates, lone surrogates, infinite numbers; exact integers.
          if (!(error instanceof AvisoError)) assert.match(text, /\d{16}/)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('refuses a duplicate name at any place, however it is spelled', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(names, fc.nat(), fc.boolean(), (list, pick, escape) => {
        const usable = list.filter((name) => !['__proto__', 'constructor', 'prototype'].includes(name))
        const name = usable[pick % Math.max(usable.length, 1)]
        if (name === undefined) return
        const members = usable.map((each) => `${JSON.stringify(each)}:{"x":[1]}`)
        const units = Array.from({ length: name.length }, (_, index) => name.charCodeAt(index))
        const spelled = escape
          ? `"${units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}"`
          : JSON.stringify(name)
        parse(`[{${members.join(',')}}]`)
        assert.match(refusal(`[{${[...members, `${spelled}:null`].join(',')}}]`).reason, /duplicate name/)
      }),
    )
  })

  it('says where: the offset counts bytes', () => {
    assert.deepEqual(refusal('{"é":1,"é":2}'), {
      reason: 'The body is not valid JSON: duplicate name at byte 8',
      offset: 8,
    })
    assert.match(refusal('{"a":tru}').reason, /unexpected character at byte 5/)
    assert.match(refusal('{"a":1}{"a":2}').reason, /unexpected text after the document at byte 7/)
  })

  it('refuses what is not RFC 8259', () => {
    const texts = [
      '',
      ' ',
      '{',
      '[1,]',
      '{"a":1,}',
      "{'a':1}",
      '// c\n1',
      'NaN',
      'Infinity',
      '0x10',
      '+1',
      '01',
      '.5',
      '1.',
      '1e',
      '--1',
    ]
    for (const text of [
      ...texts,
      'nul',
      'truefalse',
      '"\u0001"',
      '"a\nb"',
      '"\\x"',
      '"\\u12"',
      '"a',
      '{"a"}',
      '{1:2}',
      '\u00a01',
    ]) {
      refusal(text)
    }
  })

  it('refuses bytes that are not UTF-8, and a byte order mark', () => {
    refusal(new Uint8Array([0x22, 0xff, 0x22]))
    refusal(new Uint8Array([0x22, 0xc0, 0xaf, 0x22]))
    refusal(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]))
    refusal(new Uint8Array([0xef, 0xbb, 0xbf, 0x31]))
    refusal(new Uint8Array([0x31, 0x00]))
    refusal(new Uint8Array([0x22, 0x00, 0x61, 0x00]))
  })

  it('refuses lone surrogates in values and names, and takes pairs', () => {
    for (const text of [String.raw`"\ud800"`, String.raw`{"\udc00":1}`, String.raw`["a\ud83d"]`])
      refusal(text)
    assert.equal(parse(String.raw`"\ud83d\ude00"`), '😀')
  })

  it('refuses names that reach an object prototype, at any depth and spelling', () => {
    for (const name of ['__proto__', 'constructor', 'prototype', String.raw`\u005f_proto__`]) {
      assert.match(refusal(`{"a":[{"${name}":{"polluted":true}}]}`).reason, /forbidden name/)
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  it('keeps the digits of large integers and refuses infinite numbers', () => {
    assert.equal(parse('9007199254740993'), 9007199254740993n)
    assert.equal(parse('-9007199254740993'), -9007199254740993n)
    assert.equal(parse('9007199254740991'), 9007199254740991)
    assert.equal(parse('1e20'), 1e20)
    assert.match(refusal('[1e400]').reason, /number too large/)
    assert.match(refusal(`[${'9'.repeat(65)}]`).reason, /longer than 64/)
    assert.match(refusal(`{"a":0.${'1'.repeat(70)}}`).reason, /longer than 64/)
  })

  it('bounds depth, names and elements exactly', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    parse(nested(16))
    assert.match(refusal(nested(17)).reason, /nested deeper than 16/)
    refusal('['.repeat(200_000))
    const object = (names: number): string =>
      `{"deep":{${Array.from({ length: names }, (_, index) => `"n${index}":0`).join(',')}}}`
    parse(object(64))
    assert.match(refusal(object(65)).reason, /more than 64 names/)
    const array = (length: number): string => `{"a":[${Array.from({ length }, () => '{"b":1}').join(',')}]}`
    parse(array(1024))
    assert.match(refusal(array(1025)).reason, /more than 1024 elements/)
  })
})

describe('exactJsonText()', () => {
  it('writes every digit that was read', () => {
    const text = '{"a":[12345678901234567890,-9007199254740993,1.5,"x\\"y",null],"b":{"c":true}}'
    assert.equal(exactJsonText(parse(text)), text)
  })
})

describe('isJsonObject()', () => {
  it('tells objects from everything else', () => {
    assert.deepEqual([{}, [], null, 'x', 1, undefined].map(isJsonObject), [
      true,
      false,
      false,
      false,
      false,
      false,
    ])
  })
})

describe('readStrictObject()', () => {
  const read = (text: string): JsonObject | undefined => readStrictObject(toBytes(text), { maxDepth: 2 })

  it('takes what parseStrictJson() takes, where it is an object', () => {
    assert.deepEqual(read('{"a":[1]}'), { a: [1] })
    for (const text of ['', '[]', '1', 'null', '{"a":1,"a":2}', '{"a":[[1]]}', '{"a"'])
      assert.equal(read(text), undefined, text)
    assert.equal(readStrictObject(Uint8Array.of(0x7b, 0xff, 0x7d), { maxDepth: 2 }), undefined)
  })
})
