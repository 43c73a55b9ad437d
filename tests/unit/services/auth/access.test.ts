import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { narrowToFollowed, narrowToVisible, requireVisible, visibleKeys } from '#services/auth/access.ts'
import { isAvisoError } from '#shared/errors.ts'
import { contains, toKeyRange } from '#shared/interval/interval.ts'
import { END_OF_KEYS, prefixRange, toBytes, toText } from '#shared/store/bytes.ts'
import type { KeyRange } from '#shared/store/store.ts'

const everybody = { name: 'anonymous', allowed: 'everything' } as const
const joe = { name: 'joe', allowed: [prefixRange('/ec/diss/FOO/'), prefixRange('/ec/mars/')] }
const everything: KeyRange = { key: toBytes('\0'), end: END_OF_KEYS }

function forbids(act: () => unknown): void {
  assert.throws(act, (error) => isAvisoError(error, 'ERR_FORBIDDEN'))
}

function spans(set: ReturnType<typeof visibleKeys>): string[] {
  return set.map((interval) => {
    const { key, end } = toKeyRange(interval)
    return `${toText(key)}…${end === undefined ? '' : toText(end)}`
  })
}

describe('visibleKeys()', () => {
  it('never holds a key of the service, whatever is granted', () => {
    const generous = { name: 'x', allowed: [prefixRange('/_aviso/'), prefixRange('/'), everything] }
    for (const principal of [everybody, generous]) {
      const visible = visibleKeys(principal)
      for (const key of ['/_aviso/', '/_aviso/epoch', '/_aviso/journal/mars'])
        assert.equal(contains(visible, toBytes(key)), false, key)
      for (const key of ['/_aviso', '/_aviso0', '/', '/zz']) assert.ok(contains(visible, toBytes(key)), key)
    }
  })

  it('is empty where nothing is granted', () => {
    assert.deepEqual(visibleKeys({ name: 'x', allowed: [] }), [])
  })
})

describe('narrowToVisible()', () => {
  it('cuts a request down, byte for byte', () => {
    assert.deepEqual(spans(narrowToVisible(joe, everything)), [
      '/ec/diss/FOO/…/ec/diss/FOO0',
      '/ec/mars/…/ec/mars0',
    ])
    assert.deepEqual(spans(narrowToVisible(joe, { key: toBytes('/ec/diss/FOO/a') })), ['/ec/diss/FOO/a…'])
    const across = { key: toBytes('/ec/diss/FOO/x'), end: toBytes('/zz') }
    assert.deepEqual(spans(narrowToVisible(joe, across)), [
      '/ec/diss/FOO/x…/ec/diss/FOO0',
      '/ec/mars/…/ec/mars0',
    ])
  })

  it('refuses where nothing is left', () => {
    for (const key of ['/ec/diss/FOO', '/ec/diss/FOOBAR/', '/ec/diss/BAR/', '/ec/mars', '/_aviso/epoch'])
      forbids(() => narrowToVisible(joe, { key: toBytes(key) }))
    forbids(() => narrowToVisible(everybody, prefixRange('/_aviso/')))
  })
})

describe('requireVisible()', () => {
  it('wants all of the keys asked for', () => {
    requireVisible(joe, [prefixRange('/ec/diss/FOO/'), prefixRange('/ec/mars/d')])
    requireVisible(everybody, [prefixRange('/ec/diss/BAR/')])
    forbids(() => requireVisible(joe, [prefixRange('/ec/mars/'), prefixRange('/ec/diss/BAR/')]))
    forbids(() => requireVisible(joe, [prefixRange('/ec/diss/FO')]))
    forbids(() => requireVisible(everybody, [prefixRange('/_')]))
  })
})

describe('narrowToFollowed()', () => {
  it('keeps what streams carry, and refuses where that is nothing', () => {
    const visible = visibleKeys(everybody)
    assert.deepEqual(spans(narrowToFollowed(visible, ['/ec/mars/', '/ec/diss/'])), [
      '/ec/diss/…/ec/diss0',
      '/ec/mars/…/ec/mars0',
    ])
    const config = narrowToVisible(everybody, prefixRange('/ec/config/'))
    assert.throws(
      () => narrowToFollowed(config, ['/ec/mars/']),
      (error) => isAvisoError(error, 'ERR_BAD_REQUEST') && error.details['field'] === 'key',
    )
  })
})
