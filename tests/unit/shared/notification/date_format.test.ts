import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { isAvisoError } from '#shared/errors.ts'
import { compileDateFormat, compileDateReader } from '#shared/notification/date_format.ts'

describe('compileDateFormat()', () => {
  for (const [format, text, expected] of [
    ['%Y%m%d', '20200215', '20200215'],
    ['%Y%m%d', '202021', '20200201'],
    ['%Y%m%d', '202111', '20210101'],
    ['%Y%m%d', '2020213', '20200213'],
    ['%Y%m%d', '2020111', '20201101'],
    ['%Y%m%d', '20240229', '20240229'],
    ['%Y%m%d', '20000229', '20000229'],
    ['%Y%m%d', '19000229', undefined],
    ['%Y%m%d', '20250230', undefined],
    ['%Y%m%d', '20250431', undefined],
    ['%Y%m%d', '00000101', undefined],
    ['%Y%m%d', '2020/02/15', undefined],
    ['%Y%m%d', '12', undefined],
    ['%Y%m%d', 'aaa', undefined],
    ['%Y%m%d', '', undefined],
    ['%Y%m%d', '202002150', undefined],
    ['%Y%m%d', ' 20200215', undefined],
    ['%Y-%m-%dT%H:%M:%S', '2020-2-5T1:2:3', '2020-02-05T01:02:03'],
    ['%Y-%m-%dT%H:%M:%S', '2020-02-05T24:00:00', undefined],
    ['%y%j', '24366', '24366'],
    ['%y%j', '23366', undefined],
    ['%Y.%j', '2023.060', '2023.060'],
    ['%Y.%j', '2023x060', undefined],
    ['%H%M%S.%f', '010203.5', '010203.500000'],
    ['100%% %Y', '100% 2020', '100% 2020'],
  ] as const) {
    it(`reads ${JSON.stringify(text)} by ${format} as ${String(expected)}`, () => {
      assert.equal(compileDateFormat(format)(text), expected)
    })
  }

  for (const format of ['', 'plain', '%Q', '%', '%Y%Y', '%b', '%j%m', '%Y%y', '100%%']) {
    it(`refuses the format ${JSON.stringify(format)}`, () => {
      assert.throws(
        () => compileDateFormat(format),
        (error) => isAvisoError(error, 'ERR_CONFIG'),
      )
    })
  }
})

describe('compileDateReader()', () => {
  it('reads a canonical text as the start of its day in UTC', () => {
    const { read } = compileDateReader('%Y%m%d')
    assert.equal(read('20260810'), Date.UTC(2026, 7, 10))
    assert.equal(read('00680229'), new Date('0068-02-29').getTime())
  })
  it('reads only what it would write itself', () => {
    const { read } = compileDateReader('%Y%m%d')
    for (const text of ['2026810', '20260230', '202608101', 'None', '']) assert.equal(read(text), undefined)
  })
  it('reads a time of day', () => {
    assert.equal(compileDateReader('%Y-%m-%dT%H:%M').read('2026-08-10T06:30'), Date.UTC(2026, 7, 10, 6, 30))
  })
  it('writes the day that holds an instant', () => {
    assert.equal(compileDateReader('%Y%m%d').write(Date.UTC(2026, 7, 10, 23, 59)), '20260810')
    assert.equal(compileDateReader('%Y-%j').write(Date.UTC(2026, 1, 1)), '2026-032')
  })
  it('knows where the order of texts is the order of time', () => {
    const sortable = ['%Y%m%d', '%Y-%j', '%Y%m%d%H%M', '%Y'].map(
      (format) => compileDateReader(format).isSortable,
    )
    assert.deepEqual(sortable, [true, true, true, true])
    const others = ['%d%m%Y', '%y%m%d', '%m%d', '%Y%d%m'].map(
      (format) => compileDateReader(format).isSortable,
    )
    assert.deepEqual(others, [false, false, false, false])
  })
})
