import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StreamStart } from '#shared/client/stream.ts'
import type { CommandContext } from '../../../../scripts/aviso/context.ts'
import { announceReplays, type Starting } from '../../../../scripts/aviso/replay_progress.ts'
import { createManualClock } from '../../../support/clock.ts'
import { never, notification, recordedOutput } from './fixture.ts'

/** The context of a client whose service answers so. */
function contextOf(answers: (query: URLSearchParams) => object | number) {
  const output = recordedOutput()
  const context: Pick<
    CommandContext,
    'config' | 'credentials' | 'fetch' | 'clock' | 'random' | 'output' | 'stop'
  > = {
    config: { baseUrl: 'http://aviso' } as CommandContext['config'],
    credentials: { headers: () => ({}), reload: () => Promise.resolve(false) },
    fetch: (url) => {
      const { pathname, searchParams } = new URL(url)
      assert.equal(pathname, '/api/v1/notifications/count')
      const answer = answers(searchParams)
      return Promise.resolve(
        typeof answer === 'number' ? new Response('{}', { status: answer }) : Response.json(answer),
      )
    },
    clock: createManualClock(),
    random: () => 0,
    output,
    stop: never,
  }
  return { output, context: context as CommandContext }
}

function starting(start: StreamStart, request: Starting['definition']['request'] = {}): Starting {
  return { definition: { event: 'flight', request }, start }
}

const DATE = { kind: 'date', date: '2026-08-01T00:00:00.000Z' } as const

describe('announceReplays()', () => {
  for (const [start, request, count, expected] of [
    [DATE, {}, 12_345, 'Replaying 12,345 notifications of flight, since 2026-08-01T00:00:00.000Z'],
    [
      DATE,
      { country: ['Italy'] },
      3_000,
      'Replaying what matches of 3,000 notifications of flight, since 2026-08-01T00:00:00.000Z',
    ],
    [{ kind: 'oldest' }, {}, 5_000, 'Replaying 5,000 notifications of flight, from the oldest that is kept'],
    [
      { kind: 'cursor', cursor: 'e.7' },
      {},
      5_000,
      'Replaying 5,000 notifications of flight, since the last one that was handled',
    ],
    [DATE, {}, 2_999, undefined],
    [{ kind: 'live' }, {}, 99_999, undefined],
  ] as const) {
    it(`${expected === undefined ? 'says nothing of' : 'announces'} ${count} from ${start.kind}`, async () => {
      const { output, context } = contextOf((query) => {
        assert.equal(query.get('from'), start.kind === 'cursor' ? 'e.7' : null)
        assert.equal(query.get('country'), 'country' in request ? 'Italy' : null)
        return { last: '100000', count }
      })
      await announceReplays([starting(start, request)], { until: undefined, context })
      assert.deepEqual(
        output.logged.map(({ message }) => message),
        expected === undefined ? [] : [expected],
      )
    })
  }

  it('leaves out what comes after the end', async () => {
    const { output, context } = contextOf((query) => ({
      last: '10000',
      count: query.get('from_date') === DATE.date ? 9_000 : 4_000,
    }))
    await announceReplays([starting(DATE)], { until: Date.UTC(2026, 7, 2), context })
    assert.match(output.logged[0]?.message ?? '', /^Replaying 5,000 /)
  })

  it('goes on without it where the service does not count', async () => {
    for (const answer of [404, 410, 500, { last: '7', count: null }]) {
      const { output, context } = contextOf(() => answer)
      const progress = await announceReplays([starting(DATE)], { until: undefined, context })
      assert.equal(progress.text(), undefined)
      assert.deepEqual(
        output.logged.filter(({ level }) => level !== 'DEBUG'),
        [],
      )
    }
  })

  it('follows the numbers until history is complete', async () => {
    const { context } = contextOf(() => ({ last: '10000', count: 4_000 }))
    const listener = starting(DATE, { country: ['Italy'] })
    const progress = await announceReplays([listener, starting({ kind: 'live' })], {
      until: undefined,
      context,
    })
    const received = (sequence: string): void => progress.received(listener, notification({ sequence }))
    assert.equal(progress.text(), 'replaying · 0 % of 4,000')
    received('7000')
    assert.equal(progress.text(), 'replaying · 25 % of 4,000')
    received('6500')
    assert.equal(progress.text(), 'replaying · 25 % of 4,000')
    received('10500')
    assert.equal(progress.text(), 'replaying · 100 % of 4,000')
    progress.caughtUp(listener)
    assert.equal(progress.text(), undefined)
  })
})
