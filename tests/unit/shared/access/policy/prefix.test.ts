import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { fillTemplate, isSegment, parsePrefix, parsePrefixTemplate } from '#shared/access/policy/prefix.ts'

describe('parsePrefix()', () => {
  it('takes prefixes that begin and end at a slash', () => {
    for (const prefix of ['/ec/mars/', '/ec/diss/FOO/', '/a/']) assert.equal(parsePrefix(prefix), prefix)
  })

  it('refuses every other, saying why', () => {
    const refused = {
      '': /slash/,
      '/': /everything/,
      '//': /empty/,
      '/ec/mars': /slash/,
      'ec/mars/': /slash/,
      '/ec//mars/': /empty/,
      '/ec/../mars/': /dotted/,
      '/ec/./mars/': /dotted/,
      '/_aviso/': /own/,
      '/_aviso/journal/': /own/,
      '/ec/{x}/': /only in rules/,
      [`/${'x'.repeat(1100)}/`]: /longer/,
    }
    for (const [prefix, reason] of Object.entries(refused)) {
      assert.throws(() => parsePrefix(prefix), { code: 'ERR_CONFIG', message: reason }, prefix)
    }
  })
})

describe('parsePrefixTemplate()', () => {
  it('takes one claim that fills whole segments', () => {
    assert.deepEqual(parsePrefixTemplate('/ec/diss/{attributes.destinations}/'), {
      before: '/ec/diss/',
      claim: 'attributes.destinations',
      after: '/',
    })
    assert.deepEqual(parsePrefixTemplate('/ec/{x}/sub/'), { before: '/ec/', claim: 'x', after: '/sub/' })
  })

  it('refuses what could reach beyond its segment', () => {
    for (const text of [
      '/ec/{x}',
      '/ec/{x}y/',
      '/{x}/{y}/',
      '/ec/{}/',
      '/ec/{x/',
      '{x}/',
      '/ec/}x{/',
      '/_aviso/{x}/',
    ]) {
      assert.throws(() => parsePrefixTemplate(text), { code: 'ERR_CONFIG' }, text)
    }
  })
})

describe('fillTemplate()', () => {
  const template = parsePrefixTemplate('/ec/diss/{destinations}/')

  it('makes one prefix for each value', () => {
    assert.deepEqual(fillTemplate(template, { destinations: ['FOO', 'BAR_2'] }), [
      '/ec/diss/FOO/',
      '/ec/diss/BAR_2/',
    ])
    assert.deepEqual(fillTemplate(template, { destinations: 'FOO' }), ['/ec/diss/FOO/'])
    assert.deepEqual(fillTemplate(template, {}), [])
  })

  it('makes no wider grant of any value', () => {
    const hostile = [
      '',
      '/',
      '.',
      '..',
      'A/B',
      '../mars',
      '*',
      'FOO*',
      'FOO/',
      ' FOO',
      'A\u0000B',
      'FOO\n',
      'x'.repeat(129),
      'ＦＯＯ',
    ]
    assert.deepEqual(fillTemplate(template, { destinations: [...hostile, 7, null, ['FOO'], { a: 1 }] }), [])
    assert.deepEqual(
      fillTemplate(template, { destinations: Array.from({ length: 10_001 }, () => 'FOO') }),
      [],
    )
  })
})

describe('isSegment()', () => {
  it('takes names of destinations', () => {
    for (const name of ['FOO', 'SCL', 'dest-1', 'a.b', 'x_y', '_x', 'A=1']) assert.ok(isSegment(name), name)
  })
})
