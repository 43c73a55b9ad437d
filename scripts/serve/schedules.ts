/**
 * Runs cron triggers where the runtime has none of its own: UTC, no overlap, missed times caught up once.
 *
 * @module
 */

import { Cron } from 'croner'
import { AvisoError } from '#shared/errors.ts'

/** What is due. */
export interface DueEvent<Job extends string> {
  readonly job: Job
  /** Milliseconds since 1970: the time of the schedule, not of the call. */
  readonly scheduledTime: number
  /** The time has passed before these schedules were started. */
  readonly isCatchUp: boolean
}

/** What schedules are started with. */
export interface SchedulesParts<Job extends string> {
  /** By job; `null`: never. */
  readonly crons: Readonly<Record<Job, string | null>>
  /** Does what is due. Never rejects. */
  readonly run: (event: DueEvent<Job>) => Promise<void>
  readonly now: () => number
}

/** Times looked at to find the longest distance of two. A schedule repeats itself within a year of days. */
const TIMES_LOOKED_AT = 400

/**
 * Starts schedules. The last time of each that has passed is due at once: whoever runs it knows whether that was done.
 *
 * @returns Stops them; what runs goes on to its end.
 * @throws {AvisoError} `ERR_CONFIG` for a cron that is none.
 */
export function startSchedules<Job extends string>({ crons, run, now }: SchedulesParts<Job>): () => void {
  const jobs = (Object.keys(crons) as Job[]).flatMap((job) => {
    const pattern = crons[job]
    return pattern === null ? [] : [{ job, pattern }]
  })
  const running = jobs.map(({ job, pattern }) => {
    const due = async (cron: Cron, isCatchUp: boolean): Promise<void> => {
      const scheduledTime = lastTime(cron, now())
      if (scheduledTime !== undefined) await run({ job, scheduledTime, isCatchUp })
    }
    const cron = parseCron(job, pattern, (self) => due(self, false))
    void due(cron, true)
    return cron
  })
  return () => {
    for (const cron of running) cron.stop()
  }
}

/**
 * Makes sure that schedules can be run, before anything is started.
 *
 * @param longestGapMs Between two runs of the compactor more time than this counts as none, so its times must be closer.
 * @throws {AvisoError} `ERR_CONFIG` that names the schedule.
 */
export function checkSchedules(
  crons: Readonly<Record<string, string | null>>,
  { longestGapMs, nowMs }: { readonly longestGapMs: number; readonly nowMs: number },
): void {
  for (const [job, pattern] of Object.entries(crons)) {
    if (pattern === null) continue
    const distanceMs = longestDistanceMs(parseCron(job, pattern), nowMs)
    if (job !== 'compact' || distanceMs < longestGapMs) continue
    const hours = Math.ceil(distanceMs / 3_600_000) + 1
    throw new AvisoError(
      'ERR_CONFIG',
      `services.admin.triggers.crons.compact: "${pattern}" leaves ${hours - 1} h between two runs, more than longestGap, so nothing would ever be old enough: set longestGap to ${hours}h or more`,
    )
  }
}

function longestDistanceMs(cron: Cron, nowMs: number): number {
  let longest = 0
  let before: Date | undefined
  for (const time of cron.nextRuns(TIMES_LOOKED_AT, new Date(nowMs))) {
    if (before !== undefined) longest = Math.max(longest, time.getTime() - before.getTime())
    before = time
  }
  return longest
}

function parseCron(job: string, pattern: string, due?: (cron: Cron) => Promise<void>): Cron {
  const options = { mode: '5-part', timezone: 'UTC', protect: true, paused: due === undefined } as const
  try {
    const cron = due === undefined ? new Cron(pattern, options) : new Cron(pattern, options, due)
    if (cron.nextRun() === null) throw new TypeError('It has no time to come')
    return cron
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it cannot be read'
    throw new AvisoError(
      'ERR_CONFIG',
      `services.admin.triggers.crons.${job}: "${pattern}" is no cron: ${reason}`,
      { cause },
    )
  }
}

/** The last time of a schedule that is not in the future; this very second counts. */
function lastTime(cron: Cron, nowMs: number): number | undefined {
  const [time] = cron.previousRuns(1, new Date(nowMs + 1_000))
  return time?.getTime()
}
