/**
 * Runs cron triggers on runtimes that have none: in UTC, without overlap. A missed time is made up for once.
 *
 * @module
 */

import { Cron } from 'croner'
import { AvisoError } from '#shared/errors.ts'

/** A cron trigger that is due. */
export interface DueEvent {
  readonly cron: string
  /** Scheduled time, milliseconds since 1970. It is not the time of the call. */
  readonly scheduledTime: number
  /** Whether the scheduled time passed before these schedules were started. */
  readonly isCatchUp: boolean
}

export interface SchedulesParts {
  /** Job → cron; `null`: the job is never due. A cron of several jobs is due once. */
  readonly crons: Readonly<Record<string, string | null>>
  /** Runs what is due. Never rejects. */
  readonly run: (event: DueEvent) => Promise<void>
  readonly now: () => number
}

/** Number of times that are checked for the longest time between two of them. It covers a daily schedule for a year. */
const TIMES_LOOKED_AT = 400
/** Schedules that name no day, date or month are the same every day. */
const EVERY_DAY = /^\S+ \S+ \* \* \*$/
const DAY_MS = 86_400_000

/**
 * Starts schedules. The last scheduled time of each cron is due at once, because `run` knows whether its jobs were done.
 *
 * @returns a function that stops the schedules; a running job goes on to its end
 * @throws {AvisoError} `ERR_CONFIG` for a text that is not a cron.
 */
export function startSchedules({ crons, run, now }: SchedulesParts): () => void {
  const jobs = new Map(Object.entries(crons).map(([job, pattern]) => [pattern, job]))
  jobs.delete(null)
  const running = [...jobs].map(([pattern, job]) => {
    const due = async (cron: Cron, isCatchUp: boolean): Promise<void> => {
      const scheduledTime = lastTime(cron, now())
      if (scheduledTime !== undefined) await run({ cron: String(pattern), scheduledTime, isCatchUp })
    }
    const cron = parseCron(job, String(pattern), (self) => due(self, false))
    void due(cron, true)
    return cron
  })
  return () => {
    for (const cron of running) cron.stop()
  }
}

/**
 * Checks schedules before anything is started.
 *
 * @param longestGapMs A longer time between two runs of the compactor does not count, so its times must be closer than this.
 * @throws {AvisoError} `ERR_CONFIG` that names the schedule.
 */
export function checkSchedules(
  crons: Readonly<Record<string, string | null>>,
  { longestGapMs, nowMs }: { readonly longestGapMs: number; readonly nowMs: number },
): void {
  for (const [job, pattern] of Object.entries(crons)) {
    if (pattern === null) continue
    const cron = parseCron(job, pattern)
    if (job !== 'compact') continue
    const distanceMs = longestDistanceMs(cron, nowMs, EVERY_DAY.test(pattern) ? DAY_MS : Infinity)
    if (distanceMs < longestGapMs) continue
    const hours = Math.ceil(distanceMs / 3_600_000) + 1
    throw new AvisoError(
      'ERR_CONFIG',
      `workers.admin.vars.jobs.compact: "${pattern}" leaves ${hours - 1} h between two runs, which is more than longestGap, so nothing would ever be old enough: set longestGap to ${hours}h or more`,
    )
  }
}

/** The longest time between two times of a schedule that repeats itself after a period. */
function longestDistanceMs(cron: Cron, nowMs: number, periodMs: number): number {
  let longest = 0
  let time = cron.nextRun(new Date(nowMs))
  const untilMs = (time?.getTime() ?? 0) + periodMs
  for (let times = 1; time !== null && time.getTime() < untilMs && times < TIMES_LOOKED_AT; times++) {
    const next = cron.nextRun(time)
    longest = Math.max(longest, (next ?? time).getTime() - time.getTime())
    time = next
  }
  return longest
}

function parseCron(job: string, pattern: string, due?: (cron: Cron) => Promise<void>): Cron {
  // As an offset, because croner asks for the time in a named zone at each step, which takes five times as long.
  const options = { mode: '5-part', utcOffset: 0, protect: true, paused: due === undefined } as const
  try {
    const cron = due === undefined ? new Cron(pattern, options) : new Cron(pattern, options, due)
    if (cron.nextRun() === null) throw new TypeError('it has no time in the future')
    return cron
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new AvisoError(
      'ERR_CONFIG',
      `workers.admin.vars.jobs.${job}: "${pattern}" is not a cron: ${reason}`,
      { cause },
    )
  }
}

/** The next time of a cron, milliseconds since 1970; `undefined`: there is none. @throws {AvisoError} `ERR_CONFIG` for a text that is no cron. */
export function nextTime(pattern: string, nowMs: number): number | undefined {
  return parseCron('*', pattern).nextRun(new Date(nowMs))?.getTime()
}

/** The last time of a schedule that is not in the future. The current second counts as past. */
function lastTime(cron: Cron, nowMs: number): number | undefined {
  const [time] = cron.previousRuns(1, new Date(nowMs + 1_000))
  return time?.getTime()
}
