import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { checkServiceName, pathsOf, serviceRange, whyNoPath } from '#shared/service_files/layout.ts'
import { isInRange, toBytes } from '#shared/bytes/bytes.ts'

describe('checkServiceName()', () => {
  it('takes names as 1.x has them', () => {
    for (const name of ['aviso', 'aviso/v1', 'a-b/c_d/v1.2']) assert.equal(checkServiceName(name), name)
  })
  for (const name of [
    '',
    '/',
    '/aviso',
    'aviso/',
    'a//b',
    '..',
    'a/../b',
    'a/.b',
    'a b',
    'a\nb',
    'ä',
    'a'.repeat(129),
  ])
    it(`refuses ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.throws(
        () => checkServiceName(name),
        (error) => isAvisoError(error, 'ERR_BAD_REQUEST'),
      )
    })
})

describe('whyNoPath()', () => {
  it('takes relative paths', () => {
    for (const path of ['a', 'a/b.json', 'a b/ç', '.hidden']) assert.equal(whyNoPath(path), undefined)
  })
  for (const path of [
    '',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../../b',
    'a\\b',
    'a\u0000',
    'a\n',
    'x'.repeat(513),
    '\ud800',
  ])
    it(`refuses ${JSON.stringify(path.slice(0, 20))}`, () => {
      assert.equal(typeof whyNoPath(path), 'string')
    })
})

describe('pathsOf()', () => {
  const keys = [
    '/ec/config/aviso/v1',
    '/ec/config/aviso/v1-beta',
    '/ec/config/aviso/v1/a.json',
    '/ec/config/aviso/v1/sub',
    '/ec/config/aviso/v1/sub/own.json',
    '/ec/config/aviso/v1/sub.json',
    '/ec/config/aviso/v1/tree/b.json',
    '/ec/config/aviso/v10',
    '/ec/config/aviso/v10/a.json',
  ]
  const inRange = (service: string): string[] =>
    keys.filter((key) => isInRange(toBytes(key), serviceRange(service)))

  it('knows the files of a service by its exact name', () => {
    // `sub` is a service of its own: its status, and what lies below it.
    assert.deepEqual(pathsOf('aviso/v1', inRange('aviso/v1')), ['a.json', 'sub.json', 'tree/b.json'])
    assert.deepEqual(pathsOf('aviso/v10', inRange('aviso/v10')), ['a.json'])
    assert.deepEqual(pathsOf('aviso/v1/sub', inRange('aviso/v1/sub')), ['own.json'])
    assert.deepEqual(pathsOf('aviso', inRange('aviso')), ['v1-beta'])
  })
})
