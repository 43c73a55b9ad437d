import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { followedAmong, requireFollowed } from '#services/auth/etcd_facade/followed.ts'
import { isAvisoError } from '#shared/errors.ts'
import { ALL_KEYS, toInterval, toKeyRange } from '#shared/access/interval.ts'
import { prefixRange, toText } from '#shared/bytes/bytes.ts'

describe('followedAmong()', () => {
  it('keeps what streams carry, and refuses where that is nothing', () => {
    const followed = followedAmong(ALL_KEYS, ['/ec/mars/', '/ec/diss/']).map(toKeyRange)
    assert.deepEqual(
      followed.map(({ key, end }) => [toText(key), toText(end ?? key)]),
      [
        ['/ec/diss/', '/ec/diss0'],
        ['/ec/mars/', '/ec/mars0'],
      ],
    )
    requireFollowed(followedAmong(ALL_KEYS, ['/ec/mars/']), ['/ec/mars/'])
    const nothing = followedAmong([toInterval(prefixRange('/ec/config/'))], ['/ec/mars/'])
    assert.throws(
      () => requireFollowed(nothing, ['/ec/mars/']),
      (error) => isAvisoError(error, 'ERR_BAD_REQUEST') && error.details['field'] === 'key',
    )
  })
})
