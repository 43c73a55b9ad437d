import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { createFence } from '#shared/retention/roots.ts'

describe('createFence()', () => {
  it('lets through what lies below a root, at its slash', () => {
    const fence = createFence(['/ec/diss/', '/ec/mars/'])
    assert.ok(fence('/ec/diss/MACI/date=1'))
    assert.ok(fence('/ec/mars/date=1'))
    assert.ok(!fence('/ec/diss/'))
    assert.ok(!fence('/ec/dissolved/x'))
    assert.ok(!fence('/ec/config/aviso/v1/x'))
    assert.ok(!fence('/_aviso/journal/mars'))
  })
  for (const roots of [
    [],
    [''],
    ['/'],
    ['/ec/diss/', '/'],
    ['//'],
    ['ec/diss/'],
    ['/ec/diss'],
    ['/ec/ /'],
    ['/ec/../'],
    ['/_aviso/'],
    ['/_aviso/journal/'],
  ])
    it(`refuses ${JSON.stringify(roots)}`, () => {
      assert.throws(
        () => createFence(roots),
        (error) => isAvisoError(error, 'ERR_CONFIG'),
      )
    })
})
