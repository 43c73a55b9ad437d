/**
 * Configuration of the admin service: how long things are kept, what may be deleted, when jobs run.
 *
 * @module
 */

import * as v from 'valibot'
import { MIN_RETENTION_MS, parseDurationMs } from '#shared/retention/duration.ts'
import { LEGACY_HISTORY_KEY } from '#shared/retention/legacy_history.ts'
import { whyNoRoot } from '#shared/retention/roots.ts'

/** A day more than notifications are kept, as in 1.x: who finds a notification can also replay it. */
const DEFAULT_HISTORY = '16d'
/** 1.x's default. */
const DEFAULT_AGE = '15d'
/** Three times the distance of two runs, so that one that fails or is late does not matter. */
const DEFAULT_LONGEST_GAP = '3h'
/** Every hour: each run is one small write, and often means little at once. */
const DEFAULT_COMPACT_CRON = '0 * * * *'
/** Half an hour after midnight UTC, when a day has become too old; not with everything else that runs at midnight. */
const DEFAULT_CLEAN_CRON = '30 0 * * *'
/** Unused room from which a member's pause is worth it. */
const DEFAULT_WASTE_MEBIBYTES = 512

/** Text such as `15d`; milliseconds once it is read. */
const duration = v.pipe(
  v.string(),
  v.check(
    (text) => parseDurationMs(text) !== undefined,
    'A duration is a whole number with a unit s, m, h, d or w, such as 15d',
  ),
  v.transform((text) => parseDurationMs(text) ?? 0),
)

const retentionAge = v.pipe(
  duration,
  v.minValue(MIN_RETENTION_MS, 'Nothing may be kept for less than an hour'),
)

const root = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    const reason = dataset.typed ? whyNoRoot(dataset.value) : undefined
    if (reason !== undefined) addIssue({ message: `A root cannot be this: ${reason}` })
  }),
)

const retentionOfEvent = v.strictObject({
  /** Notifications are deleted this long after the date that they carry, or after their last write where they carry none. */
  age: v.optional(retentionAge),
  /** Most notifications to keep. */
  count: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  /** Field that dates them. Default: `date`, or else the first date of the key. */
  dateField: v.optional(v.string()),
})

/** Settings of the admin service. */
export const adminVars = v.strictObject({
  /** How long history stays readable: what listeners can replay. */
  history: v.optional(retentionAge, DEFAULT_HISTORY),
  /** How long notifications are kept. */
  retention: v.optional(v.strictObject({ age: v.optional(retentionAge, DEFAULT_AGE) }), {}),
  /** Retention of single event types. */
  events: v.optional(v.record(v.string(), retentionOfEvent), {}),
  /** Longest time between two runs of the compactor that is believed; must exceed the distance of its cron's times. */
  longestGap: v.optional(duration, DEFAULT_LONGEST_GAP),
  /** Prefixes outside which nothing is deleted. Default: those of the schemas. */
  roots: v.optional(
    v.pipe(
      v.array(root),
      v.minLength(1, 'Nothing can be cleaned without roots: leave them out, or name some'),
    ),
  ),
  /** Store key of the history that aviso 1.x's compactor kept, taken over once. */
  legacyHistoryKey: v.optional(v.string(), LEGACY_HISTORY_KEY),
  /** Members of the store with so much unused room, and more of it than used, are defragmented by themselves; `null`: by hand only. */
  defragmentWasteMebibytes: v.optional(
    v.nullable(v.pipe(v.number(), v.minValue(1))),
    DEFAULT_WASTE_MEBIBYTES,
  ),
})

/** Five fields, UTC. The launcher reads it more closely. */
const cron = v.pipe(
  v.string(),
  v.regex(
    /^[\d*/,A-Za-z?#-]+(?: [\d*/,A-Za-z?#-]+){4}$/,
    'A schedule is a cron of five fields in UTC, such as 30 0 * * *',
  ),
)

/** Cron triggers of the admin service; `null`: only by hand. */
export const adminTriggers = v.strictObject({
  crons: v.optional(
    v.strictObject({
      compact: v.optional(v.nullable(cron), DEFAULT_COMPACT_CRON),
      clean: v.optional(v.nullable(cron), DEFAULT_CLEAN_CRON),
    }),
    {},
  ),
})

/** The service as it is where a configuration file does not mention it. */
export const DEFAULT_ADMIN_SERVICE = {
  name: 'aviso-admin',
  main: 'services/admin/handler.ts',
  routes: ['/api/v1/admin/*'],
}
