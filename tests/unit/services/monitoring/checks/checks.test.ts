import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkAlarms,
  checkClusterStatus,
  checkHeadroom,
  checkStoreSize,
  checkTotalKeys,
} from '#services/monitoring/checks/etcd_checks.ts'
import type { EtcdHealth, EtcdMember } from '#services/monitoring/checks/etcd_health.ts'
import { createGrowth } from '#services/monitoring/checks/growth.ts'
import { createLogBook, MAX_LINES } from '#services/monitoring/receive/log_book.ts'
import { readSamples } from '#services/monitoring/checks/metric_text.ts'
import { opsviewBody, opsviewOutput } from '#services/monitoring/opsview.ts'
import { checkPods } from '#services/monitoring/checks/pods_check.ts'
import { checkErrorLog, checkResponseTime } from '#services/monitoring/checks/service_checks.ts'
import { createSecret } from '#shared/secret.ts'
import { createTimeWindow } from '#services/monitoring/receive/time_window.ts'
import { createManualClock } from '../../../../support/clock.ts'

const START = Date.UTC(2026, 5, 10, 12)
const SPAN = { since: START - 60_000, now: START }
const THRESHOLDS = { warning: 10, critical: 20 }
const GIB = 2 ** 30

function times(measurements: Readonly<Record<string, number>>) {
  const window = createTimeWindow(60_000, () => true)
  for (const [name, max] of Object.entries(measurements)) {
    window.add(name, { count: 1, avg: max, max, min: max }, START)
  }
  return window
}

describe('checkResponseTime()', () => {
  it('judges the slowest response (row 75)', () => {
    const verdicts = [9, 10, 11, 21].map((max) =>
      checkResponseTime('rest_resp_time', times({ rest_resp_time: max }), THRESHOLDS, SPAN),
    )
    assert.deepEqual(
      verdicts.map(({ status, message }) => [status, message]),
      [
        [0, 'Response time is nominal'],
        [0, 'Response time is nominal'],
        [1, 'Response time of 11s > than threshold 10'],
        [2, 'Response time of 21s > than threshold 20'],
      ],
    )
  })

  it('has nothing to say without data', () => {
    assert.deepEqual(checkResponseTime('rest_resp_time', times({}), THRESHOLDS, SPAN), {
      name: 'rest_resp_time',
      status: 0,
      message: '',
      metrics: [],
    })
  })

  it('reports sub-measurements of the auth service, which never decide (row 73)', () => {
    const window = times({
      auth_resp_time: 4,
      auth_resp_time_t1: 100,
      auth_resp_time_t2: 2,
      rest_resp_time: 50,
    })
    const { status, metrics } = checkResponseTime('auth_resp_time', window, THRESHOLDS, SPAN)
    assert.equal(status, 0)
    assert.deepEqual(
      metrics.map(({ name, value }) => [name, value]),
      [
        ['auth_resp_time_avg', 4],
        ['auth_resp_time_max', 4],
        ['auth_resp_time_t1_avg', 100],
        ['auth_resp_time_t1_max', 100],
        ['auth_resp_time_t2_avg', 2],
        ['auth_resp_time_t2_max', 2],
      ],
    )
  })
})

describe('opsviewBody()', () => {
  it('is the body of 1.x (reference §4.4)', () => {
    const window = createTimeWindow(60_000, () => true)
    window.add('rest_resp_time', { count: 2, avg: 2, max: 3, min: 1 }, START)
    assert.equal(
      opsviewBody(checkResponseTime('rest_resp_time', window, THRESHOLDS, SPAN)),
      '{"set_state":{"result":0,"output":"Response time is nominal | rest_resp_time_avg=2.0s; rest_resp_time_max=3s; rest_resp_time_min=1s; "}}',
    )
  })

  it('is the message and a space where there are no figures', () => {
    assert.equal(
      opsviewOutput({ name: 'x', status: 0, message: 'No error to report', metrics: [] }),
      'No error to report ',
    )
  })
})

describe('checkErrorLog()', () => {
  it('reports errors before warnings, of the time asked for (rows 74, 77)', () => {
    const logs = createLogBook()
    assert.deepEqual(checkErrorLog('etcd', logs, 0), {
      name: 'etcd_error_log',
      status: 0,
      message: 'No error to report',
      metrics: [],
    })
    logs.add({ app: 'etcd', level: 'warning', text: 'slow' }, START)
    assert.equal(checkErrorLog('etcd', logs, 0).message, "Warnings received: ['slow']")
    logs.add({ app: 'etcd', level: 'error', text: 'broken | x=1\n' }, START)
    const { status, message } = checkErrorLog('etcd', logs, 0)
    assert.deepEqual([status, message], [2, "Errors received: ['broken / x=1 ']"])
    assert.equal(checkErrorLog('etcd', logs, START + 1).status, 0)
    assert.equal(checkErrorLog('rest', logs, 0).status, 0)
  })

  it('quotes and keeps a bounded number of lines', () => {
    const logs = createLogBook()
    for (let index = 0; index < 10_000; index++)
      logs.add({ app: 'rest', level: 'error', text: `${index}`.padEnd(5_000, 'x') }, START)
    assert.equal(logs.since('rest', 0).errors.length, MAX_LINES)
    assert.equal(logs.count('rest', 'error'), 10_000)
    const { message } = checkErrorLog('rest', logs, 0)
    assert.ok(message.length < 2_000)
    assert.ok(message.includes("'9999x"))
    assert.ok(message.endsWith(' and 95 before'))
  })
})

const MEMBER: EtcdMember = {
  url: 'http://127.0.0.1:2379',
  isHealthy: true,
  isMeasured: true,
  hasLeader: true,
  sizeBytes: 2 * GIB,
  sizeInUseBytes: GIB,
  quotaBytes: 2 * GIB,
  keys: 123,
}
const health = (...members: readonly Partial<EtcdMember>[]): EtcdHealth => ({
  at: START,
  members: members.map((member) => ({ ...MEMBER, ...member })),
  memberCount: members.length,
  alarms: [],
})

describe('checkStoreSize()', () => {
  it('judges the share of the quota (row 78)', () => {
    const verdicts = [1, 1.5, 1.8].map((size) => checkStoreSize(health({ sizeInUseBytes: size * GIB })))
    assert.deepEqual(
      verdicts.map(({ status, message }) => [status, message]),
      [
        [0, 'Store size is nominal'],
        [1, 'Store size 1.5 GiB exceeded 70% of the quota available: 2.0 GiB.'],
        [2, 'Store size 1.8 GiB exceeded 85% of the quota available: 2.0 GiB.'],
      ],
    )
    assert.equal(
      opsviewOutput(checkStoreSize(health({}))),
      'Store size is nominal | store_logic=1.0GiB; store_physical=2.0GiB; store_quota=2.0GiB; ',
    )
  })

  it('takes the fullest member, and says when none tells', () => {
    assert.equal(checkStoreSize(health({}, { sizeInUseBytes: 1.9 * GIB }, {})).status, 2)
    const silent = checkStoreSize({ at: START, members: [{ url: 'x', isHealthy: false, isMeasured: false }] })
    assert.deepEqual(
      [silent.status, silent.message, silent.metrics[0]?.value],
      [2, 'Could not retrieve the store size', -1],
    )
  })
})

describe('checkClusterStatus()', () => {
  it('wants as many members as there should be, all healthy, with a leader (row 79)', () => {
    const { memberCount: _count, ...unknown } = health({})
    const cases: readonly (readonly [EtcdHealth, number, 0 | 1 | 2, string])[] = [
      [health({}), 1, 0, 'Cluster status is nominal'],
      [health({}), 3, 2, 'Cluster size is 1'],
      [unknown, 1, 2, 'Not able to get cluster info'],
      [health({}, { isHealthy: false }), 2, 2, 'Cluster member http://127.0.0.1:2379 not healthy'],
      [health({}, { hasLeader: false }), 2, 1, 'Cluster has no leader'],
      [health({ isMeasured: false }), 1, 1, 'Could not retrieve metrics from http://127.0.0.1:2379'],
    ]
    for (const [state, expected, status, message] of cases) {
      const verdict = checkClusterStatus(state, expected)
      assert.deepEqual([verdict.status, verdict.message], [status, message])
    }
  })
})

describe('checkAlarms()', () => {
  it('is critical for any alarm', () => {
    assert.equal(checkAlarms(health({})).status, 0)
    const { alarms: _alarms, ...unknown } = health({})
    assert.equal(checkAlarms(unknown).status, 1)
    const raised = checkAlarms({ ...health({}), alarms: ['NOSPACE', '<script>|'] })
    assert.deepEqual([raised.status, raised.message], [2, 'Alarms are raised: NOSPACE, '])
  })
})

describe('checkTotalKeys()', () => {
  it('reports the keys, and says when they cannot be had', () => {
    assert.equal(
      opsviewOutput(checkTotalKeys(health({}))),
      'Total number of keys retrieved | etcd_total_keys=123; ',
    )
    assert.equal(checkTotalKeys({ at: START, members: [] }).message, 'Cannot retrieve total number of keys')
  })
})

describe('createGrowth()', () => {
  const HOUR = 3_600_000
  it('tells when the quota is used up at the pace of the last day', () => {
    const growth = createGrowth()
    growth.add(START, 0)
    assert.equal(checkHeadroom(health({}), growth).message, 'The growth is not known yet')
    for (let hour = 1; hour <= 72; hour++) growth.add(START + hour * HOUR, hour * 3_600 * 100)
    assert.equal(Math.round(growth.bytesPerSecond() ?? 0), 100)
    const quota = 72 * 3_600 * 100 + 100 * 86_400
    assert.equal(Math.round((growth.headroomSeconds(quota) ?? 0) / 60), 24 * 60)
    const verdict = checkHeadroom(health({ quotaBytes: quota }), growth)
    assert.deepEqual(
      [verdict.status, verdict.message],
      [2, 'At the pace of the last day the quota is used up in 1 days'],
    )
  })

  it('forgets how it was before the last day', () => {
    const growth = createGrowth()
    for (let hour = 0; hour <= 24; hour++) growth.add(START + hour * HOUR, hour * 1_000_000)
    for (let hour = 25; hour <= 72; hour++) growth.add(START + hour * HOUR, 24_000_000)
    assert.equal(growth.bytesPerSecond(), 0)
  })

  it('has no end in sight where the store shrinks, and none left where it is full', () => {
    const growth = createGrowth()
    growth.add(START, 1_000)
    growth.add(START + HOUR, 500)
    assert.equal(growth.headroomSeconds(2_000), Infinity)
    assert.equal(checkHeadroom(health({}), growth).message, 'The store does not grow')
    assert.equal(growth.headroomSeconds(500), 0)
  })

  it('starts anew when the clock goes back', () => {
    const growth = createGrowth()
    growth.add(START, 0)
    growth.add(START - 365 * 24 * HOUR, 100)
    assert.equal(growth.bytesPerSecond(), undefined)
  })
})

describe('readSamples()', () => {
  it('reads values with exponents, NaN and labels, and only what is wanted', () => {
    const page = [
      '# HELP a b',
      'a 1.5e-3',
      'a_total 7',
      'a{x="y } z"} NaN 1234',
      'a{} +Inf',
      'a not a number',
      'a',
      ' a 5',
    ].join('\n')
    assert.deepEqual(
      readSamples(page, new Set(['a'])).map(({ labels, value }) => [labels, value]),
      [
        ['', 0.0015],
        ['x="y } z"', Number.NaN],
        ['', Infinity],
      ],
    )
  })
})

describe('checkPods()', () => {
  const page = (count: string): string =>
    `kube_deployment_status_replicas{namespace="other",deployment="aviso-rest"} 9\nkube_deployment_status_replicas{namespace="aviso",deployment="aviso-rest"} ${count}\n`
  const check = (answer: () => Promise<Response>) =>
    checkPods(
      'rest',
      {
        url: 'http://127.0.0.1:1',
        namespace: 'aviso',
        token: createSecret('t'),
        thresholds: { warning: 2, critical: 1 },
      },
      {
        clock: createManualClock(),
        fetch: (_url, init) => {
          assert.equal(new Headers(init.headers).get('authorization'), 'Bearer t')
          return answer()
        },
      },
    )
  it('judges how many there are', async () => {
    const verdicts = await Promise.all(
      ['3', '2', '1', 'NaN'].map((count) => check(() => Promise.resolve(new Response(page(count))))),
    )
    assert.deepEqual(
      verdicts.map(({ status, message }) => [status, message]),
      [
        [0, 'All pods available'],
        [1, 'Available pods: 2 below warning threshold of 2'],
        [2, 'Available pods: 1 below critical threshold of 1'],
        [1, 'Metric could not be retrieved'],
      ],
    )
    assert.equal((await check(() => Promise.reject(new Error('refused')))).status, 1)
  })
})
