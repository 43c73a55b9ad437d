import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { parseParams } from '../../../../scripts/aviso/params.ts'

const WRONG = 'Wrong structure for the notification string, it should be <key_name>=<key_value>,...'

describe('parseParams()', () => {
  it('takes event apart from the other pairs, whose values stay text', () => {
    assert.deepEqual(parseParams('event=flight,expver=0010,date=20210101,country='), {
      event: 'flight',
      fields: { expver: '0010', date: '20210101', country: '' },
    })
  })

  for (const [text, message] of [
    ['event=flight', `${WRONG}: behind 'event=flight' the fields are missing`],
    ['event=flight,country:Italy', `${WRONG}: 'country:Italy' has no =`],
    ['event=flight,a=b=c', `${WRONG}: 'a=b=c' has more than one =`],
    ['event=flight,', `${WRONG}: '' has no =`],
    ['event=flight,=x', `${WRONG}: '=x' has nothing before the =`],
    ['', `${WRONG}: '' has no =`],
    ['country=Italy,date=20210101', "Invalid notification, 'event' could not be located"],
    ['event=flight,a=1,a=2', 'Key a is given twice'],
  ] as const) {
    it(`refuses '${text}'`, () => {
      assert.throws(
        () => parseParams(text),
        (error) => error instanceof ClientError && error.message === message && error.exitCode === 255,
      )
    })
  }
})
