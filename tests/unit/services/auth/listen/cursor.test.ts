import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'

import { formatCursor, parseCursor } from '#services/auth/listen/cursor.ts'
import { isAvisoError } from '#shared/errors.ts'

const EPOCH = '3f0e7c1a-5d2b-4d7e-9a7e-000000000001'

describe('parseCursor()', () => {
  it('starts right behind the position that was formatted', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 2n ** 63n - 2n),
        fc.option(fc.nat(), { nil: undefined }),
        (revision, index) => {
          const position = index === undefined ? { revision } : { revision, index }
          const expected =
            index === undefined
              ? { kind: 'revision', revision: revision + 1n }
              : { kind: 'revision', revision, afterIndex: index }
          fc.pre(index === undefined || index < 1e9)
          assert.deepEqual(parseCursor(formatCursor(EPOCH, position), EPOCH), expected)
        },
      ),
    )
  })

  it('refuses the cursor of another store', () => {
    assert.throws(
      () => parseCursor('other.12.0', EPOCH),
      (error) => isAvisoError(error, 'ERR_EPOCH_CHANGED'),
    )
  })

  for (const text of [
    '',
    'x',
    '12',
    EPOCH,
    `${EPOCH}.`,
    `${EPOCH}.0`,
    `${EPOCH}.-1`,
    `${EPOCH}.012`,
    `${EPOCH}.1e30`,
    `${EPOCH}.1.`,
    `${EPOCH}.1.-1`,
    `${EPOCH}.1.00`,
    `${EPOCH}.1.2.3`,
    ` ${EPOCH}.1`,
    `${EPOCH}.9223372036854775807`,
    `${EPOCH}.1\n`,
    'x'.repeat(300),
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
      assert.throws(
        () => parseCursor(text, EPOCH),
        (error) => isAvisoError(error, 'ERR_BAD_REQUEST'),
      )
    })
  }
})
