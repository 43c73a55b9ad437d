/**
 * Settings of the admin service: how long history and notifications are kept, what may be deleted, and when jobs run.
 *
 * @module
 */

import * as v from 'valibot'
import { section } from '#shared/config/section.ts'
import { MIN_RETENTION_MS, parseDurationMs } from '#shared/retention/duration.ts'
import { LEGACY_HISTORY_KEY } from '#shared/retention/legacy_history.ts'
import { whyNoRoot } from '#shared/retention/roots.ts'

/** A day longer than notifications are kept, as in 1.x: a client that finds a notification can also replay it. */
const HISTORY = '16d'
/** 1.x's default. */
const AGE = '15d'
/** Three times the time between two runs, so that a late or failed run does not matter. */
const LONGEST_GAP = '3h'
/** Every hour: a run is one small write, and a frequent run has little to compact. */
const COMPACT_CRON = '0 * * * *'
/** Half an hour after midnight UTC, when another day has become too old. Not at midnight itself, when many other jobs run. */
const CLEAN_CRON = '30 0 * * *'
/** Unused space from which defragmentation is worth the pause of a member. */
const WASTE_MEBIBYTES = 512

/** Text such as `15d`, which is parsed to milliseconds. */
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
  v.description('A folder of keys, with a slash at both ends, that is not the whole store'),
  v.check(
    (text) => whyNoRoot(text) === undefined,
    ({ input }) => `"${input}" is not a valid root: ${whyNoRoot(input) ?? ''}`,
  ),
)

const retentionOfEvent = section({
  age: v.optional(
    v.pipe(
      retentionAge,
      v.description(
        'Notifications are deleted this long after the date that they carry, or after their last write where they carry none. Default: retention.age',
      ),
    ),
  ),
  count: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(1),
      v.metadata({ unit: 'notifications' }),
      v.description('Most notifications to keep; the newest stay. Default: no such limit'),
    ),
  ),
  dateField: v.optional(
    v.pipe(
      v.string(),
      v.description(
        'Field that holds their date. Default: "date" if the key has it, otherwise its first date',
      ),
    ),
  ),
})

/** Checks only the form. The launcher checks the fields. */
const cron = v.pipe(
  v.string(),
  v.regex(
    /^[\d*/,A-Za-z?#-]+(?: [\d*/,A-Za-z?#-]+){4}$/,
    'A schedule is a cron of five fields in UTC, such as 30 0 * * *',
  ),
)

/** `workers.admin.vars` */
export const adminVars = section({
  jobs: v.optional(
    section({
      compact: v.optional(
        v.pipe(
          v.nullable(cron),
          v.description(
            'The cron, among workers.admin.triggers.crons, that runs the compactor; null: only by hand',
          ),
        ),
        COMPACT_CRON,
      ),
      clean: v.optional(
        v.pipe(
          v.nullable(cron),
          v.description(
            'The cron, among workers.admin.triggers.crons, that runs the cleaner; null: only by hand',
          ),
        ),
        CLEAN_CRON,
      ),
    }),
    {},
  ),
  history: v.optional(
    v.pipe(
      retentionAge,
      v.description('How long history stays readable, so how far back listeners can replay'),
    ),
    HISTORY,
  ),
  retention: v.optional(
    section({
      age: v.optional(
        v.pipe(
          retentionAge,
          v.description('How long notifications are kept, unless their event type says otherwise'),
        ),
        AGE,
      ),
    }),
    {},
  ),
  events: v.optional(
    v.pipe(v.record(v.string(), retentionOfEvent), v.description('Event type → its own retention')),
    {},
  ),
  longestGap: v.optional(
    v.pipe(
      duration,
      v.description(
        'Longest time between two runs of the compactor that counts: a longer one may mean that the clock was set wrongly. It must exceed the time between two times of the cron',
      ),
    ),
    LONGEST_GAP,
  ),
  roots: v.optional(
    v.pipe(
      v.array(root),
      v.minLength(1, 'Nothing can be cleaned without roots: leave them out, or name some'),
      v.description(
        'Folders of keys, such as /ec/diss/. Nothing outside them is deleted. Default: those of the schemas',
      ),
    ),
  ),
  legacyHistoryKey: v.optional(
    v.pipe(
      v.string(),
      v.description("Store key of the history that aviso 1.x's compactor kept; it is taken over once"),
    ),
    LEGACY_HISTORY_KEY,
  ),
  defragmentWasteMebibytes: v.optional(
    v.pipe(
      v.nullable(v.pipe(v.number(), v.minValue(1))),
      v.metadata({ unit: 'MiB' }),
      v.description(
        'After a compaction, members with so much unused space, and more unused than used, are defragmented; null: only by hand',
      ),
    ),
    WASTE_MEBIBYTES,
  ),
})

export type AdminVars = v.InferOutput<typeof adminVars>

/** `workers.admin.triggers` */
export const adminTriggers = section({
  crons: v.optional(
    v.pipe(
      v.array(cron),
      v.description(
        'When jobs run: crons of five fields in UTC. Each is the schedule of a job in workers.admin.vars.jobs',
      ),
    ),
    [COMPACT_CRON, CLEAN_CRON],
  ),
})

/** The service's entry when the configuration file does not mention it. */
export const ADMIN_SERVICE = {
  name: 'aviso-admin',
  main: 'services/admin/worker.ts',
  routes: ['/api/v1/admin/*'],
}
