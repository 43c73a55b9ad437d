import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { wait, type WaitFlags } from '../../../../../scripts/aviso/runs/wait.ts'
import { followChanges } from '../../../../../scripts/aviso/runs/run_changes.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import type { CommandContext } from '../../../../../scripts/aviso/context.ts'
import { createManualClock, createScaledClock, settle } from '../../../../support/clock.ts'
import { eventually, within } from '../../../../support/waiting.ts'
import type { TestContext } from '../fixture.ts'
import { marsRun, runsContext, startRunsService, type RunsService } from './runs_fixture.ts'

const WORDS = ['mars', 'class=od', 'stream=oper', 'date=20260810', 'time=12']

/** A time limit of which the test says when it is over. */
const LIMIT = '7m'
const LIMIT_MS = 7 * 60_000

/** A clock whose pauses between looks do not end by themselves: only news leads to a look. */
function newsClock(): Clock {
  const clock = createScaledClock()
  const sleep: Clock['sleep'] = (ms, signal) =>
    ms < 1_000
      ? clock.sleep(ms, signal)
      : new Promise((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }))
  return { ...clock, sleep }
}

/** A waiting that has begun, and what became of it. */
function begin(
  service: RunsService,
  flags: WaitFlags = {},
  { words = WORDS, changes = {} }: { words?: readonly string[]; changes?: Partial<CommandContext> } = {},
) {
  const { context, output } = runsContext(service, changes)
  const { clock } = context
  let timeIsOver = (): void => assert.fail('there is no time limit')
  const after: Clock['after'] = (ms, task) => {
    if (ms !== LIMIT_MS) return clock.after(ms, task)
    timeIsOver = task
    return () => undefined
  }
  const ended = wait(words, flags, { ...context, clock: { ...clock, after } }).then(
    () => ({ code: 0, message: '' }),
    (error: unknown) => {
      assert.ok(error instanceof ClientError, String(error))
      return { code: error.exitCode, message: error.message }
    },
  )
  return { output, timeIsOver: () => timeIsOver(), outcome: () => within('the end of the waiting', ended) }
}

const looks = ({ asked }: RunsService): number =>
  asked.filter((path) => path.startsWith('/api/v1/runs?')).length

async function begun(context: TestContext, steps: readonly number[] = [0, 6]): Promise<RunsService> {
  const service = await startRunsService(context)
  service.put(marsRun(steps))
  return service
}

describe('wait()', () => {
  it('ends with 0 when the run is complete, at once or after its notification', async (t) => {
    const service = await begun(t)
    const { output, outcome } = begin(service, {}, { changes: { clock: newsClock() } })
    await eventually('a first look', () => looks(service) >= 1)
    service.announce(marsRun([0, 6, 12, 18]))
    assert.deepEqual(await outcome(), { code: 0, message: '' })
    const text = 'mars od oper 2026-08-10 12Z is complete since 18:20 UTC, 4 of 4'
    assert.deepEqual(output.results, [text])
    const again = begin(service)
    assert.deepEqual([(await again.outcome()).code, again.output.results], [0, [text]])
  })

  it('opens its stream before it looks, so nothing happens between the two', async (t) => {
    const service = await begun(t, [0, 6, 12, 18])
    const steps: string[] = []
    const slowly: CommandContext['fetch'] = async (url, init) => {
      const { pathname } = new URL(url)
      steps.push(pathname)
      if (pathname !== '/api/v1/watch') return fetch(url, init)
      await settle()
      const response = await fetch(url, init)
      steps.push('open')
      return response
    }
    assert.equal(
      (await begin(service, {}, { changes: { clock: systemClock, fetch: slowly } }).outcome()).code,
      0,
    )
    assert.deepEqual(steps, ['/api/v1/schema', '/api/v1/watch', 'open', '/api/v1/runs'])
    const [, watch = '', runs = ''] = service.asked
    assert.equal(watch.split('?')[1], 'event=run&event_type=mars&class=od&stream=oper&date=20260810&time=12')
    assert.match(runs, /\?event=mars&class=od&stream=oper&date=20260810&time=12&limit=/)
  })

  it('waits for a run that is not there yet', async (t) => {
    const service = await startRunsService(t)
    const { outcome } = begin(service)
    await eventually('a first look', () => looks(service) >= 1)
    service.announce(marsRun([0]), 'started')
    await eventually('a look after the start', () => looks(service) > 1)
    service.announce(marsRun([0, 6, 12, 18]))
    assert.equal((await outcome()).code, 0)
  })

  it('ends with 1 when the run becomes late, and says what is missing', async (t) => {
    const service = await begun(t)
    const { outcome, output } = begin(service)
    await eventually('a first look', () => looks(service) >= 1)
    service.announce(marsRun([0, 6], { state: 'late', overdue: 2 }))
    assert.deepEqual(await outcome(), {
      code: 1,
      message: 'mars od oper 2026-08-10 12Z is late: due 18:40 UTC, 2 of 4; 2 missing: step 12, 18',
    })
    assert.deepEqual(output.results, [])
  })

  it('--late wait: goes on after that, but not when the run is closed', async (t) => {
    const service = await begun(t)
    const first = begin(service, { late: 'wait' })
    await eventually('a first look', () => looks(service) >= 1)
    service.announce(marsRun([0, 6], { state: 'late' }))
    await eventually('a look after that', () => looks(service) > 1)
    service.announce(marsRun([0, 6, 12, 18], { state: 'recovered' }))
    assert.equal((await first.outcome()).code, 0)
    service.put(marsRun([0, 6], { state: 'incomplete' }))
    const { code, message } = await begin(service, { late: 'wait' }).outcome()
    assert.deepEqual([code, /was closed as incomplete, 2 of 4; 2 missing/.test(message)], [1, true])
    service.put(marsRun([0], { state: 'abandoned' }))
    assert.match((await begin(service, { late: 'wait' }).outcome()).message, /is abandoned/)
  })

  it('--timeout: ends with 1, and says how far the run is', async (t) => {
    const service = await begun(t)
    const limited = begin(service, { timeout: LIMIT })
    await eventually('a first look', () =>
      limited.output.logged.some(({ message }) => message.includes('50%')),
    )
    limited.timeIsOver()
    assert.deepEqual(await limited.outcome(), {
      code: 1,
      message: `mars od oper 2026-08-10 12Z is not that far (complete) after ${LIMIT}: running, 2 of 4, 50%; 2 missing: step 12, 18`,
    })
    const none = await startRunsService(t)
    const empty = begin(none, { timeout: LIMIT })
    await eventually('a second look', () => looks(none) > 1)
    empty.timeIsOver()
    assert.deepEqual(await empty.outcome(), { code: 1, message: `no such run after ${LIMIT}` })
    await none.stop()
    const away = begin(none, { timeout: LIMIT })
    await eventually('a warning', () => away.output.logged.some(({ level }) => level === 'WARNING'))
    away.timeIsOver()
    assert.equal((await away.outcome()).code, 1)
  })

  it('goes on when the service was away, and sees what happened meanwhile', async (t) => {
    const service = await begun(t)
    const { outcome } = begin(service)
    await eventually('a first look', () => looks(service) >= 1)
    await service.stop()
    service.put(marsRun([0, 6, 12, 18]))
    await service.start()
    assert.equal((await outcome()).code, 0)
  })

  it('waits for a service that is not there at the start', async (t) => {
    const service = await begun(t, [0, 6, 12, 18])
    await service.stop()
    const { outcome, output } = begin(service)
    await eventually('a warning', () => output.logged.some(({ level }) => level === 'WARNING'))
    await service.start()
    assert.equal((await outcome()).code, 0)
  })

  it('--until N%: ends when so much is there, by news of products', async (t) => {
    const service = await begun(t, [0])
    const { outcome, output } = begin(service, { until: '50%' }, { changes: { clock: newsClock() } })
    await eventually('both streams', () => service.streams('mars') === 1 && looks(service) >= 1)
    service.put(marsRun([0, 6]))
    service.tell({ event: 'mars', identifier: { ...marsRun().run, step: '6' } })
    assert.equal((await outcome()).code, 0)
    assert.deepEqual(output.results, ['mars od oper 2026-08-10 12Z has 50%, 2 of 4'])
  })

  it('--until step=12: ends when it is there, though the state follows its product by a while', async (t) => {
    const service = await begun(t)
    const { outcome, output } = begin(service, { until: 'step=012' })
    await eventually('both streams', () => service.streams('mars') === 1 && looks(service) >= 1)
    assert.ok(
      service.asked.some(
        (path) => path.startsWith('/api/v1/watch?event=mars&') && path.endsWith('&step=012'),
      ),
    )
    const before = looks(service)
    service.tell({ event: 'mars', identifier: { ...marsRun().run, step: '012' } })
    await eventually('a look that sees nothing yet', () => looks(service) > before)
    service.put(marsRun([0, 6, 12]))
    assert.equal((await outcome()).code, 0)
    assert.deepEqual(output.results, ['mars od oper 2026-08-10 12Z has step=012'])
  })

  it('--until step=…: fails for what is overdue, and for what a complete run does not have', async (t) => {
    const service = await startRunsService(t)
    const run = marsRun([0])
    const products = run.products.map((one) =>
      one.product['step'] === '6' ? { ...one, state: 'overdue' } : one,
    )
    service.put({ ...run, products })
    const overdue = await begin(service, { until: 'step=6' }).outcome()
    assert.deepEqual(
      [overdue.code, overdue.message.split(';')[0]],
      [1, 'mars od oper 2026-08-10 12Z is late with step=6: due 18:40 UTC'],
    )
    service.put(marsRun([0, 6, 12, 18]))
    assert.deepEqual(await begin(service, { until: 'step=24' }).outcome(), {
      code: 1,
      message: 'mars od oper 2026-08-10 12Z is complete without step=24, which is not expected in it',
    })
  })

  it('looks at growing pauses where streams are refused', async (t) => {
    const service = await begun(t)
    service.refused.add('run')
    const { outcome, output } = begin(service)
    await eventually('a few looks', () => looks(service) >= 3)
    assert.ok(
      output.logged.some(({ message }) =>
        /^No news of runs of mars, so it is looked for now and then: .* status 403, You may not/.test(
          message,
        ),
      ),
    )
    service.put(marsRun([0, 6, 12, 18]))
    assert.equal((await outcome()).code, 0)
  })

  it('ends with 255 where the stream is refused and no run is seen', async (t) => {
    const service = await startRunsService(t)
    service.refused.add('run')
    const { code, message } = await begin(service).outcome()
    assert.equal(code, 255)
    assert.match(message, /status 403, You may not listen to it\. No such run is shown to this user: mars /)
  })

  it('--json: prints the run on one line, however it ends', async (t) => {
    const service = await begun(t)
    service.put(marsRun([0], { state: 'late' }))
    const failed = begin(service, {}, { changes: { json: true } })
    assert.equal((await failed.outcome()).code, 1)
    const { run, ...rest } = JSON.parse(failed.output.results[0] ?? '') as Record<string, unknown>
    assert.deepEqual(rest, { reached: false, why: 'late', until: 'complete' })
    assert.equal((run as { id: string }).id, 'mars:od,oper,20260810,12')
  })

  it('ends with 130 at a signal, so that what follows in a script does not run', async (t) => {
    const service = await begun(t)
    const stop = new AbortController()
    const { outcome } = begin(service, {}, { changes: { stop: stop.signal } })
    await eventually('a first look', () => looks(service) >= 1)
    stop.abort()
    assert.equal((await outcome()).code, 130)
  })

  it('says once that it cannot know while it is learning', async (t) => {
    const service = await startRunsService(t)
    service.put(marsRun([0], { expected: null, learning: { runs: 2, needed: 7 } }))
    const stop = new AbortController()
    const { outcome, output } = begin(service, {}, { changes: { stop: stop.signal } })
    await eventually('several looks', () => looks(service) > 2)
    stop.abort()
    assert.equal((await outcome()).code, 130)
    const warnings = output.logged.filter(({ level }) => level === 'WARNING').map(({ message }) => message)
    assert.deepEqual(
      warnings.map((message) => message.replace(/\).*/, ')')),
      ['How much this run has is not known yet (learning, 2 of 7 runs)'],
    )
  })

  it('says that runs of other days count, where no day is named', async (t) => {
    const service = await begun(t, [0, 6, 12, 18])
    const warnings = async (words: readonly string[]): Promise<readonly string[]> => {
      const { outcome, output } = begin(service, {}, { words })
      assert.equal((await outcome()).code, 0)
      return output.logged.filter(({ level }) => level === 'WARNING').map(({ message }) => message)
    }
    assert.deepEqual(await warnings(['mars', 'time=12']), [
      'Without date=today a run of another day counts, too',
    ])
    assert.deepEqual(await warnings(WORDS), [])
  })

  it('ends with 2 for every mistake, and says how to put it right', async (t) => {
    const service = await begun(t)
    service.put(marsRun([0], { run: { class: 'od', stream: 'wave', date: '20260810', time: '12' } }))
    const rows: readonly [words: readonly string[], flags: WaitFlags, message: RegExp][] = [
      [WORDS, { until: 'done' }, /^--until must be complete, a share such as 80%, or a product/],
      [WORDS, { until: '0%' }, /more than 0%/],
      [WORDS, { until: '120%' }, /at most 100%/],
      [WORDS, { until: 'step=' }, /^--until must be/],
      [WORDS, { until: 'stp=6' }, /^mars has no field stp; allowed are .*Did you mean step\?/],
      [WORDS, { until: 'class=od' }, /products of such runs are named by step, not by class/],
      [WORDS, { timeout: '3' }, /^--timeout must be a time such as/],
      [WORDS, { timeout: '0s' }, /^--timeout/],
      [WORDS, { timeout: '25d' }, /at most 24d/],
      [['mras'], {}, /^The service has no event type mras; allowed are .*Did you mean mars\?/],
      [['class=od'], {}, /is no event type: name it first, as in mars class=od/],
      [['mars', 'od'], {}, /^Not a field and its value: od. Behind the event type write FIELD=VALUE/],
      [['mars', 'clas=od'], {}, /^mars has no field clas; .*Did you mean class\?/],
      [['mars', 'step=6'], {}, /Runs of mars have no field step/],
      [['flight'], {}, /^The services follow no runs of flight, but those of mars.*\n.*"flight": \{ … \}/],
      [['mars', 'time=12'], {}, /^Several runs match: .*Name one of them: add such as stream=oper$/],
      [['mars:od,no,20260810,12'], {}, /^There is no run mars:od,no,20260810,12/],
    ]
    for (const [words, flags, message] of rows) {
      const outcome = await begin(service, flags, { words }).outcome()
      assert.equal(outcome.code, 2, outcome.message)
      assert.match(outcome.message, message)
    }
    const other = await startRunsService(t, { isConfigured: false })
    const none = await begin(other).outcome()
    assert.deepEqual(
      [none.code, none.message.split('\n')[0]],
      [
        2,
        'The services follow no runs. The services follow runs when their configuration says what a run is:',
      ],
    )
  })

  it('takes the id of a run, words for days, and times with a zone', async (t) => {
    const before = new Date()
    const service = await begun(t, [0, 6, 12, 18])
    assert.equal((await begin(service, {}, { words: ['mars:od,oper,20260810,12'] }).outcome()).code, 0)
    const stop = new AbortController()
    const words = ['MARS', 'date=today', 'time=12Z', 'stream=wave']
    const { outcome } = begin(service, {}, { words, changes: { stop: stop.signal } })
    const wave = (): string => service.asked.find((path) => path.includes('&stream=wave&limit')) ?? ''
    await eventually('a look', () => wave() !== '')
    stop.abort()
    await outcome()
    // It may have become midnight meanwhile.
    const days = [before, new Date()].map((day) => day.toISOString().slice(0, 10).replaceAll('-', ''))
    assert.ok(
      days.some((day) => wave().includes(`?event=mars&date=${day}&time=12&stream=wave&`)),
      wave(),
    )
  })
})

describe('followChanges()', () => {
  it('asks about once a minute when nothing happens', async () => {
    const clock = createManualClock()
    const { context } = runsContext({ url: 'http://127.0.0.1:1' }, { clock })
    const changes = followChanges([], { isWatched: false }, context)
    let count = 0
    const looking = (async () => {
      for (; count < 1000; count++) await changes.next()
    })()
    for (let minutes = 0; minutes < 60; minutes++)
      for (let parts = 0; parts < 60; parts++) await clock.advance(1_000)
    assert.ok(count >= 55 && count <= 66, `${count} looks in an hour`)
    void looking
  })
})
