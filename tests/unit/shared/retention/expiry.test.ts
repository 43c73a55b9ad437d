import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import { examineKey, expiryRules, type ExpiryBounds } from '#shared/retention/expiry.ts'
import { toText } from '#shared/bytes/bytes.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 10, 25)
const schemas = createBuiltinSchemas(
  {
    source: 'plain',
    content: {
      alarm: {
        endpoint: [{ engine: ['etcd_rest'], base: '/alarm/{site}', stem: '{level}' }],
        request: { site: [{ type: 'StringHandler' }], level: [{ type: 'IntHandler' }] },
      },
    },
  },
  {
    source: 'one below the other',
    content: {
      outer: {
        endpoint: [{ engine: ['etcd_rest'], base: '/x', stem: '{day}/{rest}' }],
        request: { day: [{ type: 'DateHandler', canonic: '%Y%m%d' }], rest: [{ type: 'StringHandler' }] },
      },
      inner: {
        endpoint: [{ engine: ['etcd_rest'], base: '/x/20200101/deep', stem: '{level}' }],
        request: { level: [{ type: 'IntHandler' }] },
      },
    },
  },
  {
    source: 'dated twice',
    content: {
      seasonal: {
        endpoint: [{ engine: ['etcd_rest'], base: '/seasonal', stem: '{issued}/{valid}' }],
        request: {
          issued: [{ type: 'DateHandler', canonic: '%d%m%Y' }],
          valid: [{ type: 'DateHandler', canonic: '%Y%m%d' }],
        },
      },
    },
  },
)
const retention = { ageMs: 15 * DAY_MS }
const byDate: ExpiryBounds = { now: NOW, recentAfter: undefined, undatedThrough: undefined }

function examine(event: string, key: string, bounds: Partial<ExpiryBounds> = {}, role = 'notification') {
  const rule = expiryRules(schemas, event, retention).find((each) => each.role === role)
  assert.ok(rule)
  return examineKey(rule, { key, modRevision: 100n }, { ...byDate, ...bounds })
}
const diss = (date: string): string =>
  `/ec/diss/MACI/date=${date},target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1`

describe('examineKey()', () => {
  it('gives up a day as 1.x does, when it began as long ago as the retention', () => {
    assert.equal(examine('dissemination', diss('20261110')).verdict, 'expired')
    assert.equal(examine('dissemination', diss('20261111')).verdict, 'young')
    assert.equal(examine('dissemination', diss('20190810')).verdict, 'expired')
    assert.equal(examine('flight', '/tmp/aviso/flight/20261110/italy/FCO/AZ203').verdict, 'expired')
    assert.equal(
      examine('mars', '/ec/mars/date=20261110,class=od,expver=0001,domain=g,time=00,stream=oper,step=0')
        .verdict,
      'expired',
    )
  })
  it('says where a scan may go on, since dates behind a young one are younger', () => {
    const { skipTo } = examine('dissemination', diss('20261111'))
    assert.equal(skipTo && toText(skipTo), '/ec/diss/MACI/date>')
  })
  it('does not skip where texts do not sort as dates do', () => {
    assert.equal(examine('seasonal', '/seasonal/24112026/20261130').verdict, 'young')
    assert.equal(examine('seasonal', '/seasonal/24112026/20261130').skipTo, undefined)
  })
  it('keeps what was written within the retention, whatever its date', () => {
    assert.equal(examine('dissemination', diss('20190810'), { recentAfter: 99n }).verdict, 'recent')
    assert.equal(examine('dissemination', diss('20190810'), { recentAfter: 100n }).verdict, 'expired')
  })
  it('goes by the last write where there is no date', () => {
    assert.equal(examine('alarm', '/alarm/roof/3').verdict, 'recent')
    assert.equal(examine('alarm', '/alarm/roof/3', { undatedThrough: 99n }).verdict, 'recent')
    assert.equal(examine('alarm', '/alarm/roof/3', { undatedThrough: 100n }).verdict, 'expired')
    assert.equal(examine('dissemination', diss('None'), { undatedThrough: 100n }).verdict, 'expired')
  })
  it('leaves status documents, keys of others and unknown keys alone', () => {
    const bounds = { undatedThrough: 100n }
    for (const key of [
      '/ec/diss/MACI/',
      '/ec/diss/MACI',
      '/ec/diss/MACI/other',
      '/ec/dissolved/date=20190810,target=E1',
      '/ec/config/aviso/v1/x',
    ])
      assert.equal(examine('dissemination', key, bounds).verdict, 'foreign', key)
    assert.equal(examine('alarm', '/alarm/roof/', bounds).verdict, 'foreign')
  })
  it("leaves another event type's keys to it, also where they could be read as its own", () => {
    assert.equal(examine('outer', '/x/20200101/a').verdict, 'expired')
    assert.equal(examine('outer', '/x/20200101/a/b').verdict, 'expired')
    assert.equal(examine('outer', '/x/20200101/deep/3').verdict, 'foreign')
  })
  it('knows the index of destinations that 1.x keeps', () => {
    assert.equal(examine('dissemination', '/ec/admin/20261110/MACI', {}, 'admin').verdict, 'expired')
    assert.equal(examine('dissemination', '/ec/admin/20261111/MACI', {}, 'admin').verdict, 'young')
    for (const key of ['/ec/admin/history', '/ec/admin/20261110', '/ec/admin/20261110/MACI/x'])
      assert.equal(examine('dissemination', key, { undatedThrough: 100n }, 'admin').verdict, 'foreign', key)
  })
})

describe('expiryRules()', () => {
  it('takes the field called date, or else the first date of the key, unless another one is named', () => {
    const nameOf = (event: string, dateField?: string): string | undefined =>
      expiryRules(schemas, event, { ...retention, dateField })[0]?.date?.name
    assert.equal(nameOf('mars'), 'date')
    assert.equal(nameOf('seasonal'), 'issued')
    assert.equal(nameOf('seasonal', 'valid'), 'valid')
    assert.equal(nameOf('alarm'), undefined)
  })
  it('refuses a field that is no date', () => {
    assert.throws(
      () => expiryRules(schemas, 'mars', { ...retention, dateField: 'step' }),
      (error) => isAvisoError(error, 'ERR_CONFIG'),
    )
  })
})
