import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { CommanderError } from 'commander'
import { ClientError } from '#shared/client/client_error.ts'
import type { CommandContext } from '../../../../../scripts/aviso/context.ts'
import type { Screen } from '../../../../../scripts/aviso/output.ts'
import { createProgram, type Invocation } from '../../../../../scripts/aviso/program.ts'
import { runs, type RunsFlags } from '../../../../../scripts/aviso/runs/runs.ts'
import { eventually, within } from '../../../../support/waiting.ts'
import { recordedOutput, type RecordedOutput, type TestContext } from '../fixture.ts'
import { marsRun, runsContext, startRunsService, type RunsService } from './runs_fixture.ts'

const UTF8 = { LANG: 'en_GB.UTF-8' }

describe('the option --state of aviso runs', () => {
  it('chooses states, and is no setting of the client', () => {
    let parsed: Invocation | undefined
    createProgram('1', (invocation) => (parsed = invocation)).parse(
      ['runs', 'mars', '--state', 'late,expected', '--state', 'running'],
      { from: 'user' },
    )
    assert.ok(parsed?.command === 'runs' && parsed.task.kind === 'show')
    assert.deepEqual(parsed.task.options.state, ['late', 'expected', 'running'])
    assert.equal('state' in parsed.flags, false)
  })
})

/** What the command prints. */
async function printed(
  service: RunsService,
  words: readonly string[] = [],
  flags: RunsFlags = {},
  changes: Partial<CommandContext> = { environment: UTF8 },
): Promise<string> {
  const { context, output } = runsContext(service, changes)
  await runs(words, flags, context)
  return output.results.join('\n')
}

/** An output to a terminal. */
function terminal(columns: number, isColoured = false): RecordedOutput & { readonly shown: string[] } {
  const shown: string[] = []
  const screen: Screen = {
    size: () => ({ columns, rows: 12 }),
    isColoured,
    show: (text) => void shown.push(text),
  }
  return { ...recordedOutput(), screen, shown }
}

async function printedOn(service: RunsService, columns: number, isColoured = false): Promise<string> {
  const output = terminal(columns, isColoured)
  await printed(service, [], {}, { output, environment: UTF8 })
  return output.results.join('\n')
}

/** A complete run, a running one, a late one, and one that is learned, the newest first. */
async function severalRuns(context: TestContext): Promise<RunsService> {
  const service = await startRunsService(context)
  const wave = { class: 'od', stream: 'wave', date: '20260810', time: '12' }
  service.put(marsRun([0, 6, 12]))
  service.put(marsRun([0], { run: wave, state: 'late', overdue: 2, eta: null }))
  service.put(
    marsRun([0, 6], {
      run: { ...wave, time: '00' },
      nominal: '2026-08-10T00:00:00.000Z',
      expected: null,
      eta: null,
      due_at: null,
      learning: { runs: 2, needed: 7 },
    }),
  )
  service.put(
    marsRun([0, 6, 12, 18], {
      run: { class: 'od', stream: 'oper', date: '20260809', time: '18' },
      nominal: '2026-08-09T18:00:00.000Z',
      complete_at: '2026-08-10T00:27:00.000Z',
      due_at: '2026-08-10T00:40:00.000Z',
    }),
  )
  return service
}

describe('runs()', () => {
  it('prints a table: bars, counts, times in UTC with the day where it is another one', async (t) => {
    const service = await severalRuns(t)
    assert.equal(
      await printed(service),
      `
RUN           NOMINAL         STATE                       DONE              RECEIVED  OVERDUE  DUE (UTC)    COMPLETE (UTC)
mars od oper  2026-08-10 12Z  running                     ████████░░  75%   3 of 4             18:40        ~18:31 (18:20–08-11 00:02)
mars od wave  2026-08-10 12Z  late                        ███░░░░░░░  25%   1 of 4    2        18:40
mars od wave  2026-08-10 00Z  running (learning, 2 of 7)                    2
mars od oper  2026-08-09 18Z  complete                    ██████████  100%  4 of 4             08-10 00:40  08-10 00:27`.trimStart(),
    )
  })

  it('leaves blocks out where the locale has none, and columns where the terminal is narrow', async (t) => {
    const service = await severalRuns(t)
    const plain = await printed(service, [], {}, { environment: { LANG: 'C' } })
    assert.match(plain, /running +########\.\. /)
    assert.match(plain, /~18:31 \(18:20-08-11 00:02\)/)
    const widths: number[] = []
    for (const columns of [200, 110, 90, 70, 40]) {
      const text = await printedOn(service, columns)
      widths.push(Math.max(...text.split('\n').map((line) => line.length)))
      assert.match(text, /^RUN +NOMINAL +STATE/)
    }
    assert.deepEqual(
      widths.map((width, index) => width <= ([200, 110, 90, 70, 61][index] ?? 0)),
      [true, true, true, true, true],
      String(widths),
    )
    assert.ok(!plain.includes('\u001B'))
  })

  it('has colours on a terminal that wants them, and columns that stay in line', async (t) => {
    const service = await severalRuns(t)
    const coloured = await printedOn(service, 200, true)
    assert.ok(coloured.includes('\u001B[31mlate\u001B[0m  '))
    assert.ok(coloured.includes('\u001B[32mcomplete\u001B[0m'))
    assert.equal(stripVTControlCharacters(coloured), await printedOn(service, 200))
  })

  it('asks for what is wanted, page by page up to the limit, once for each value', async (t) => {
    const service = await startRunsService(t)
    for (let day = 100; day < 260; day++)
      service.put(marsRun([], { run: { class: 'od', stream: 'oper', date: `2026${day}`, time: '12' } }))
    const asked = (): string[] => service.asked.splice(0).filter((path) => path.startsWith('/api/v1/runs?'))
    const one = JSON.parse(await printed(service, ['mars'], { limit: 150 }, { json: true })) as {
      runs: unknown[]
      more: boolean
    }
    assert.deepEqual([one.runs.length, one.more], [150, true])
    assert.deepEqual(asked(), [
      '/api/v1/runs?event=mars&limit=100',
      '/api/v1/runs?event=mars&limit=50&cursor=100',
    ])
    assert.match(await printed(service), /\nThere are more: --limit 40$/)
    asked()
    await printed(service, ['mars', 'stream=oper,wave'], { state: ['expected', 'late'] })
    assert.deepEqual(asked(), [
      '/api/v1/runs?event=mars&stream=oper&state=expected&limit=20',
      '/api/v1/runs?event=mars&stream=oper&state=late&limit=20',
      '/api/v1/runs?event=mars&stream=wave&state=expected&limit=20',
      '/api/v1/runs?event=mars&stream=wave&state=late&limit=20',
    ])
    await assert.rejects(
      printed(service, ['mars', `time=${Array.from({ length: 33 }, (_none, index) => index).join(',')}`]),
      /33 questions to the service; ask at most 32/,
    )
  })

  it('brings the answers to several questions into one order', async (t) => {
    const service = await severalRuns(t)
    const names = (await printed(service, ['mars', 'stream=wave,oper'], { limit: 3 }))
      .split('\n')
      .slice(1)
      .map((line) => line.slice(8, 29))
    assert.deepEqual(names, [
      'oper  2026-08-10 12Z ',
      'wave  2026-08-10 12Z ',
      'wave  2026-08-10 00Z ',
      'e more: --limit 6',
    ])
  })

  it('says why there is nothing', async (t) => {
    const service = await startRunsService(t)
    assert.equal(
      await printed(service),
      'No runs yet, or none that you may see without a token or key. A run begins with its first product',
    )
    assert.match(
      await printed(service, ['mars', 'class=rd']),
      /^No run of mars matches\. .* aviso runs mars lists all/,
    )
    assert.match(
      await printed(service, ['flight']),
      /^No runs of flight: the services follow those of mars\./,
    )
    const none = await startRunsService(t, { isConfigured: false })
    assert.match(
      await printed(none),
      /^No runs: the services follow none\. .*\n  "vars": \{ "runs": \{ "mars": true \} \}\n/,
    )
  })

  it('shows one run by its id, or by all of its fields: a grid, what is missing, usual times', async (t) => {
    const service = await severalRuns(t)
    const run = marsRun([0, 6])
    const products = run.products.map((one) =>
      one.product['step'] === '6' ? { ...one, lateness_seconds: 60 } : one,
    )
    service.put({ ...run, products, extra: 1, repeated: 2 })
    const text = await printed(service, ['mars:od,oper,20260810,12'])
    assert.equal(
      text,
      `
mars od oper 2026-08-10 12Z: running, 2 of 4, 50%
███████████████░░░░░░░░░░░░░░░
first         17:45
last          18:00
due           18:40
complete      ~18:31 (18:20–08-11 00:02)
usual         first 17:45, complete 18:27
not expected  1 that came, too
again         2 published again
id            mars:od,oper,20260810,12
              all times in UTC

step 0  ■◆··
■ came   ◆ came after its time   · to come

2 missing: step 12, 18`.trimStart(),
    )
    const words = ['mars', 'class=od', 'stream=oper', 'date=20260810', 'time=12']
    assert.equal(await printed(service, words), text)
    const page = JSON.parse(await printed(service, words, {}, { json: true })) as { products: unknown[] }
    assert.equal(page.products.length, 4)
  })

  it('shows products of several fields in rows, and wraps long ones', async (t) => {
    const service = await startRunsService(t)
    const run = marsRun([0])
    const products = ['E2', 'E1'].flatMap((target) =>
      Array.from({ length: 100 }, (_none, step) => ({
        product: { step: String(step), target },
        at: step < 50 ? '2026-08-10T18:00:00.000Z' : null,
        due_at: null,
        lateness_seconds: null,
        state: step < 50 ? 'received' : step < 60 ? 'overdue' : 'missing',
      })),
    )
    const missing = {
      count: 80,
      products: [
        { step: '60', target: 'E1' },
        { step: '61', target: 'E1' },
        { step: '60', target: 'E2' },
      ],
      truncated: true,
    }
    service.put({ ...run, products, products_truncated: true, missing })
    const output = terminal(40)
    await printed(service, [run.id], {}, { output, environment: {} })
    const text = output.results.join('\n')
    const grid = text.slice(text.indexOf('target'), text.indexOf('The service'))
    assert.ok(
      grid.split('\n').every((line) => line.length <= 40),
      grid,
    )
    assert.match(grid, /^target E1 {2}step 0 {3}#+\ntarget E1 {2}step 2\d {2}#+\n/)
    assert.match(text, /The service lists a part of the products\.\n# came {3}! overdue {3}\. to come/)
    assert.match(text, /80 missing: target E1 step 60, 61; target E2 step 60 and 77 more$/)
  })

  it('refuses a run that is not there, and a service without runs', async (t) => {
    const service = await startRunsService(t)
    await assert.rejects(
      printed(service, ['mars:x']),
      (error) =>
        error instanceof ClientError &&
        error.exitCode === 2 &&
        error.message.startsWith('There is no run mars:x, or none that you may see'),
    )
    const { context } = runsContext(service, {
      fetch: () => Promise.resolve(Response.json({ message: 'no' }, { status: 404 })),
    })
    await assert.rejects(runs([], {}, context), /does not know runs: it is older/)
  })

  it('--watch: prints what changes as lines, also across a restart', async (t) => {
    const service = await startRunsService(t)
    service.put(marsRun([0, 6]))
    const stop = new AbortController()
    const { context, output } = runsContext(service, { stop: stop.signal })
    const watching = runs(['mars'], { watch: true }, context)
    await eventually('the first line', () => output.results.length === 1)
    service.announce(marsRun([0, 6], { state: 'late', overdue: 2 }))
    await eventually('the second line', () => output.results.length === 2)
    await service.stop()
    service.put(marsRun([0, 6, 12, 18], { state: 'recovered' }))
    await service.start()
    await eventually('the third line', () => output.results.length === 3)
    const again = { repeated: 1, republished_at: '2026-08-10T19:02:00.000Z' }
    service.put(marsRun([0, 6, 12, 18], { state: 'recovered', ...again }))
    await eventually('the fourth line', () => output.results.length === 4)
    stop.abort()
    await within('the end', watching)
    const lines = output.results.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ''))
    assert.deepEqual(lines, [
      'mars od oper 2026-08-10 12Z: running, 2 of 4, 50%, 2 missing: step 12, 18',
      'mars od oper 2026-08-10 12Z: running to late, 2 of 4, 50%, 2 missing: step 12, 18',
      'mars od oper 2026-08-10 12Z: late to recovered, 4 of 4, 100%',
      'mars od oper 2026-08-10 12Z: recovered, 4 of 4, 100%, published again, last 19:02 UTC',
    ])
  })

  for (const { words, streams } of [
    { words: [], streams: ['event=run&event_type=mars', 'event=run&event_type=flight'] },
    { words: ['flight'], streams: ['event=run&event_type=flight'] },
    { words: [marsRun().id], streams: ['event=run&event_type=mars'] },
  ]) {
    it(`--watch: opens a stream for each event type: aviso runs ${words.join(' ')}`, async (t) => {
      const service = await startRunsService(t, { events: ['mars', 'flight'] })
      service.put(marsRun([0]))
      const stop = new AbortController()
      const { context, output } = runsContext(service, { stop: stop.signal })
      const watching = runs(words, { watch: true }, context)
      await eventually('a look', () => service.asked.some((path) => path.startsWith('/api/v1/runs')))
      const opened = service.asked.filter((path) => path.startsWith('/api/v1/watch'))
      stop.abort()
      await within('the end', watching)
      assert.deepEqual(
        opened.map((path) => path.slice('/api/v1/watch?'.length)).toSorted(),
        streams.toSorted(),
      )
      assert.deepEqual(
        output.logged.filter(({ level }) => level === 'WARNING'),
        [],
      )
    })
  }

  it('--watch: says which field is needed for a stream, and looks now and then', async (t) => {
    const service = await startRunsService(t, { events: ['mars', 'flight'], required: ['country'] })
    const streams = async (...words: readonly string[]): Promise<readonly string[]> => {
      const stop = new AbortController()
      const { context, output } = runsContext(service, { stop: stop.signal })
      service.asked.length = 0
      const watching = runs(words, { watch: true }, context)
      await eventually('a look', () => service.asked.some((path) => path.startsWith('/api/v1/runs')))
      const opened = service.asked.filter((path) => path.startsWith('/api/v1/watch'))
      stop.abort()
      await within('the end', watching)
      const warnings = output.logged.filter(({ level }) => level === 'WARNING')
      return [
        ...opened.map((path) => path.slice('/api/v1/watch?event=run&'.length)),
        ...warnings.map(({ message }) => message),
      ]
    }
    assert.deepEqual(await streams(), [
      'event_type=mars',
      'No news of runs of flight, so it is looked for now and then: name country=… to get them at once',
    ])
    assert.deepEqual(await streams('flight', 'country=Italy'), ['event_type=flight&country=Italy'])
  })

  it('says which fields and event types runs have, and how a state is chosen', async (t) => {
    const service = await startRunsService(t)
    await assert.rejects(
      printed(service, ['mars', 'foo=1']),
      /no field foo; allowed are class, stream, date, time$/,
    )
    await assert.rejects(
      printed(service, ['mars', 'state=late']),
      /no field state\. States are chosen by --state/,
    )
    await assert.rejects(printed(service, ['nosuch']), /no event type nosuch; allowed are mars$/)
  })

  it('--watch: redraws a terminal within its lines', async (t) => {
    const service = await startRunsService(t)
    for (let day = 10; day < 30; day++)
      service.put(marsRun([], { run: { class: 'od', stream: 'oper', date: `202608${day}`, time: '12' } }))
    const stop = new AbortController()
    const output = terminal(80)
    const { context } = runsContext(service, { output, stop: stop.signal })
    const watching = runs([], { watch: true }, context)
    await eventually('the first picture', () => output.shown.length > 0)
    const lines = output.shown[0]?.split('\n') ?? []
    assert.deepEqual([lines.length, lines.at(-1), lines[2]?.slice(0, 3)], [10, 'and 14 more lines', 'RUN'])
    stop.abort()
    await within('the end', watching)
  })
})

describe('aviso runs, aviso wait', () => {
  const parse = (...words: string[]): Invocation | undefined => {
    let invocation: Invocation | undefined
    const program = createProgram('1', (parsed) => (invocation = parsed))
    program.configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    program.parse(words, { from: 'user' })
    return invocation
  }

  it('read their flags', () => {
    const shown = parse(
      'runs',
      'mars',
      'class=od',
      '--state',
      'late,incomplete',
      '--state',
      'running',
      '--limit',
      '5',
    )
    assert.ok(shown?.command === 'runs' && shown.task.kind === 'show')
    assert.deepEqual(
      [shown.task.words, shown.task.options.state, shown.task.options.limit],
      [['mars', 'class=od'], ['late', 'incomplete', 'running'], 5],
    )
    const waiting = parse('wait', 'mars', 'time=12', '--until', 'step=240', '--timeout', '3h', '-q')
    assert.ok(waiting?.command === 'runs' && waiting.task.kind === 'wait')
    const { until, timeout, late } = waiting.task.options
    assert.deepEqual(
      [waiting.task.words, until, timeout, late],
      [['mars', 'time=12'], 'step=240', '3h', 'fail'],
    )
  })

  it('refuse what they do not know', () => {
    const refused = (message: RegExp) => (error: CommanderError) => message.test(error.message)
    assert.throws(() => parse('runs', '--state', 'done'), refused(/Allowed are expected, running, late/))
    assert.throws(() => parse('runs', '--limit', '0'), refused(/whole number from 1 to 1000/))
    assert.throws(() => parse('wait', '--timeout', '3s'), refused(/missing required argument 'EVENT'/))
    assert.throws(() => parse('wait', 'mars', '--late', 'no'), refused(/Allowed choices are fail, wait/))
  })
})
