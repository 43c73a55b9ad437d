/**
 * The part of the demonstration with runs: one becomes complete, and another one is late, says what is missing, and recovers. All of it is
 * told by notifications of event type `run`, to a listener like any other.
 *
 * @module
 */

import { print } from '../standard_output.ts'
import { DemoReader, type Received } from './reader.ts'

const STEP_HOURS = 6
const LAST_STEP = 240
const STEPS = Array.from({ length: LAST_STEP / STEP_HOURS + 1 }, (_, index) => String(index * STEP_HOURS))
/** Steps that the late run lacks at first. */
const LACKING = STEPS.slice(-6)
/**
 * When a late run is due, in seconds after the demonstration has begun. It must be said before the services start, and how long that takes is
 * not known, so there are several, each for runs of its own.
 */
const DUE_SECONDS = [4, 6, 9, 14, 20, 30, 45, 70, 110]
/** The first one that is so far ahead when the services are there: time to publish. */
const AHEAD_MS = 3000
/** Longest wait for a notification of a run. */
const WAIT_LIMIT_MS = 120_000
const HOUR_MS = 3_600_000
/** Nominal times are this far apart. */
const CYCLE_MS = 6 * HOUR_MS

/** Runs of the nominal time that is just past, and how they are expected. */
export interface DemoRuns {
  readonly date: string
  readonly time: string
  /** `expver` → when its late run is due. */
  readonly due: ReadonlyMap<string, number>
  /** For `vars.runs`. */
  readonly expectations: object
}

/** @param random From 0 to below 1: the runs are those of an experiment, so that older runs in a shared store do not matter. */
export function planRuns(now: number, random: number): DemoRuns {
  const nominal = Math.floor(now / CYCLE_MS) * CYCLE_MS
  const first = 1000 + Math.floor(random * 8900)
  const due = new Map(
    DUE_SECONDS.map((seconds, index) => [String(first + index), now + seconds * 1000] as const),
  )
  const group = (stream: string, expver: string, dueAfter: string): object => ({
    where: { class: 'rd', stream, expver },
    step: `0/to/${LAST_STEP}/by/${STEP_HOURS}`,
    due: dueAfter,
  })
  return {
    date: new Date(nominal).toISOString().slice(0, 10).replaceAll('-', ''),
    time: String(new Date(nominal).getUTCHours()).padStart(2, '0'),
    due,
    expectations: {
      mars: {
        run: ['class', 'stream', 'expver', 'date', 'time'],
        product: ['step'],
        nominal: { date: 'date', time: 'time' },
        expect: [...due].flatMap(([expver, at]) => [
          group('oper', expver, '47h'),
          group('wave', expver, `${Math.ceil((at - nominal) / 1000)}s`),
        ]),
        close: '48h',
      },
    },
  }
}

/** The runs have begun. */
export interface BegunRuns {
  /** Waits for what is to be told, and prints it. @returns whether exactly that was told */
  finish(): Promise<boolean>
}

/** Listens to runs, and publishes all steps of one run and not all of the other. @param publish Publishes steps of a stream. */
export async function beginRuns(
  url: string,
  { date, time, due }: DemoRuns,
  publish: (requests: readonly Readonly<Record<string, string>>[]) => Promise<void>,
): Promise<BegunRuns> {
  const reader = await DemoReader.open(url, {
    event: 'run',
    request: { event_type: 'mars', class: 'rd', expver: [...due.keys()] },
  })
  const [expver] = [...due].find(([, at]) => at > Date.now() + AHEAD_MS) ?? ['']
  if (expver === '') throw new Error('The system took too long to start')
  const publishSteps = (stream: string, steps: readonly string[]): Promise<void> =>
    publish(steps.map((step) => ({ class: 'rd', domain: 'g', expver, stream, date, time, step })))
  await publishSteps('oper', STEPS)
  await publishSteps(
    'wave',
    STEPS.filter((step) => !LACKING.includes(step)),
  )
  const early = STEPS.length - LACKING.length
  print(
    `Runs: of ${STEPS.length} steps each, ${STEPS.length} of rd/oper and ${early} of rd/wave are published`,
  )
  const news = new RunsTold(reader)
  return {
    finish: async () => {
      try {
        await news.until('wave', 'late')
        await publishSteps('wave', LACKING)
        await news.until('wave', 'recovered')
        return verdict(news.all())
      } finally {
        await reader.close()
      }
    },
  }
}

/** What a notification of a run says. */
interface RunNews {
  readonly stream: string
  readonly state: string
  readonly received: number
  readonly expected: number
  readonly missing: readonly string[]
}

function newsOf({ identifier, payload }: Received): RunNews {
  const { received, expected, missing } = payload as {
    readonly received: number
    readonly expected: number
    readonly missing?: { readonly products: readonly { readonly step: string }[] }
  }
  return {
    stream: identifier['stream'] ?? '',
    state: identifier['state'] ?? '',
    received,
    expected,
    missing: missing?.products.map(({ step }) => step) ?? [],
  }
}

/** What has been told, printed as it comes. */
class RunsTold {
  readonly #reader: DemoReader
  #printed = 0

  constructor(reader: DemoReader) {
    this.#reader = reader
  }

  all(): readonly RunNews[] {
    return this.#reader.received.map(newsOf)
  }

  /** Resolves when this was told, or when it was waited for too long. */
  async until(stream: string, state: string): Promise<void> {
    const isTold = (news: RunNews): boolean => news.stream === stream && news.state === state
    let isOver = false
    const limit = new Promise<void>((over) => setTimeout(over, WAIT_LIMIT_MS).unref())
    void limit.then(() => (isOver = true))
    for (;;) {
      this.#print()
      if (isOver || this.all().some(isTold)) return
      await Promise.race([this.#reader.hasReceived(this.#printed + 1), limit])
    }
  }

  #print(): void {
    for (const { stream, state, received, expected, missing } of this.all().slice(this.#printed)) {
      const lacks = state === 'late' ? `; missing: step ${missing.join(', ')}` : ''
      print(`  rd/${stream} ${state}: ${received} of ${expected}${lacks}`)
      this.#printed++
    }
  }
}

/** Prints whether what was told is what happened. */
function verdict(news: readonly RunNews[]): boolean {
  const states = (wanted: string): string =>
    news
      .filter(({ stream }) => stream === wanted)
      .map(({ state }) => state)
      .join(', ')
  const late = news.find(({ state }) => state === 'late')
  const isRight =
    states('oper') === 'started, complete' &&
    states('wave') === 'started, late, recovered' &&
    news.find(({ state }) => state === 'complete')?.received === STEPS.length &&
    late !== undefined &&
    late.missing.length === STEPS.length - late.received &&
    LACKING.every((step) => late.missing.includes(step))
  print(
    isRight
      ? 'Every run was told as it was: one complete, one late and then recovered'
      : `NOT every run was told as it was: rd/oper ${states('oper')}; rd/wave ${states('wave')}`,
  )
  return isRight
}
