/**
 * Describes the routes of the admin service.
 *
 * @module
 */

import {
  BODY_ERRORS,
  count,
  digits,
  flag,
  json,
  list,
  mapOf,
  object,
  oneOf,
  orNull,
  READ_ERRORS,
  strictObject,
  text,
  time,
  WRITE_ERRORS,
  type AnswerDoc,
  type JsonSchema,
  type OperationDoc,
  type ParameterDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'

const FLAG: JsonSchema = { type: 'boolean' }
const DRY_RUN = { ...FLAG, description: 'Change nothing, and say what a run would do' }
const TRUST_CLOCK = { ...FLAG, description: 'The clock is right, whatever the times in the store say' }

const operator: Pick<OperationDoc, 'access' | 'form' | 'errorMembers'> = {
  access: 'administrator',
  form: 2,
  errorMembers: { success: flag() },
}

const done = (members: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  object({ success: flag(), ...members, request_id: text() })

/** Options, which may also stand in the query. */
function withOptions(options: Readonly<Record<string, JsonSchema>>): Pick<OperationDoc, 'body' | 'query'> {
  const query = Object.entries(options).map(([name, schema]): [string, ParameterDoc] => [
    name.replace(/\?$/, ''),
    { about: 'The same as in the body', schema: inQuery(schema) },
  ])
  return {
    body: { content: json(strictObject(options)), optional: true },
    query: Object.fromEntries(query),
  }
}

/** A list stands in a query with commas. */
function inQuery(schema: JsonSchema): JsonSchema {
  return schema === EVENTS ? text() : schema
}

const report = (about: string, members: Readonly<Record<string, JsonSchema>>): AnswerDoc => ({
  about: `${about} With \`Accept: application/x-ndjson\` lines of progress come first.`,
  content: json(done(members)),
  items: {
    'application/x-ndjson': object({
      'progress?': mapOf({}),
      'result?': done(members),
      'error?': object({
        success: flag(),
        code: text(),
        message: text(),
        status: count(),
        request_id: text(),
      }),
    }),
  },
})

const member = object({
  id: text(),
  name: text(),
  is_leader: flag(),
  bytes_before: count(),
  bytes_in_use: count(),
  'bytes_after?': count(),
})

const due = object({ cron: orNull(text('In UTC; `null`: by hand alone')), 'next?': time('If known') })

const EVENTS = list(text(), 'Only these event types')

const JOB_ERRORS = [
  ...BODY_ERRORS,
  ...WRITE_ERRORS,
  'ERR_JOB_RUNNING',
  'ERR_CLOCK_UNSURE',
  'ERR_CONFLICT',
] as const

const wiped = {
  message: text(),
  deleted: count('Keys'),
  bytes: count(),
  dry_run: flag(),
  streams: list(object({ stream: text(), deleted: count(), bytes: count(), 'error?': text() })),
}

const wipe: Pick<OperationDoc, 'access' | 'form' | 'errorMembers' | 'answers' | 'errors' | 'codes'> = {
  ...operator,
  answers: {
    200: report('Which streams were wiped.', wiped),
    500: {
      about: 'Some streams were only wiped in part: try again',
      content: json(
        object({ success: flag(), ...wiped, code: oneOf(['WIPE_INCOMPLETE']), request_id: text() }),
      ),
    },
  },
  errors: [...JOB_ERRORS, 'ERR_NOT_FOUND'],
  codes: ['UNKNOWN_FIELD'],
}

const changed = {
  message: text(),
  'service?': text(),
  files: list(text(), 'Paths'),
  'deleted?': list(text(), 'Paths'),
  'revision?': digits(),
  'dry_run?': flag(),
}

const SERVICE: ParameterDoc = { about: 'Name of the service', required: true, example: 'aviso/v1' }

const jobs: Readonly<Record<string, OperationDoc>> = {
  adminStatus: {
    ...operator,
    route: 'GET /api/v1/admin/status',
    summary: 'Store, retention, history, backup and jobs',
    answers: {
      200: {
        about: 'The status',
        content: json(
          done({
            clock: time(),
            store: object({
              version: text(),
              revision: digits(),
              'size_bytes?': count(),
              'size_in_use_bytes?': count(),
            }),
            'members?': list(
              object({
                id: text(),
                'name?': text(),
                reachable: flag(),
                'leader?': flag(),
                'version?': text(),
                'size_bytes?': count(),
                'size_in_use_bytes?': count(),
              }),
            ),
            'alarms?': list(object({ member: text(), kind: text() })),
            'members_error?': text('Why they cannot be told'),
            retention: object({
              history: text(),
              age: text(),
              events: mapOf(object({ 'age?': text(), 'count?': count() })),
            }),
            history: object({
              marks: count(),
              'oldest_mark?': time(),
              'newest_mark?': time(),
              'compacted_to?': digits(),
            }),
            'backup?': object({
              at: time(),
              age_seconds: count(),
              revision: digits(),
              size_bytes: count(),
              sha256: text(),
            }),
            jobs: mapOf(
              object({
                state: oneOf(['running', 'done', 'failed']),
                holder: text(),
                'slot?': text(),
                since: text(),
                at: text(),
                'report?': mapOf({}),
              }),
            ),
            schedule: mapOf(due),
          }),
        ),
      },
    },
    errors: ['ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
  },
  compact: {
    ...operator,
    route: 'POST /api/v1/admin/compact',
    summary: 'Forget old history',
    ...withOptions({ 'dry_run?': DRY_RUN, 'trust_clock?': TRUST_CLOCK }),
    answers: {
      200: report('What was forgotten.', {
        'skipped?': text(),
        revision: digits(),
        'compacted_to?': digits(),
        'written_before?': text(),
        outcome: oneOf(['nothing_old_enough', 'compacted', 'already_compacted', 'dry_run']),
        clock: text('How the clock moved since the last run'),
        marks: count(),
        'defragmented?': list(member),
        'defragmentation?': text('Why it failed'),
      }),
    },
    errors: JOB_ERRORS,
    codes: ['UNKNOWN_FIELD'],
  },
  clean: {
    ...operator,
    route: 'POST /api/v1/admin/clean',
    summary: 'Delete old notifications',
    ...withOptions({
      'dry_run?': DRY_RUN,
      'trust_clock?': TRUST_CLOCK,
      'by_date?': { ...FLAG, description: 'The date in a notification alone decides, as in 1.x' },
      'full?': { ...FLAG, description: 'Look at all keys' },
      'events?': EVENTS,
    }),
    answers: {
      200: report('What was deleted.', {
        deleted: count(),
        bytes: count(),
        dry_run: flag(),
        events: list(
          object({
            event: text(),
            scanned: count(),
            deleted: count(),
            bytes: count(),
            kept_recent: count(),
          }),
        ),
      }),
    },
    errors: [...JOB_ERRORS, 'ERR_UNKNOWN_EVENT'],
    codes: ['UNKNOWN_FIELD'],
  },
  defragment: {
    ...operator,
    route: 'POST /api/v1/admin/defragment',
    summary: 'Give disk space of the store back',
    ...withOptions({ 'dry_run?': DRY_RUN }),
    answers: {
      200: report('What was given back.', {
        members: list(member),
        'disarmed?': count('Alarms cleared'),
        'note?': text(),
      }),
    },
    errors: JOB_ERRORS,
    codes: ['UNKNOWN_FIELD'],
  },
}

const removals: Readonly<Record<string, OperationDoc>> = {
  deleteNotification: {
    ...operator,
    route: 'DELETE /api/v1/admin/notification/:id',
    summary: 'Delete one notification',
    path: { id: { about: 'Event type, @, number', example: 'flight@999999999' } },
    answers: {
      200: {
        about: 'It is deleted',
        content: json(
          done({
            message: text(),
            notification_id: text(),
            key: text(),
            was_live: flag('Whether its key was deleted: it had not been written again'),
          }),
        ),
      },
    },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'ERR_NOT_FOUND', 'ERR_CONFLICT', 'ERR_HISTORY_COMPACTED'],
    codes: ['UNKNOWN_FIELD'],
    errorMembers: { success: flag(), notification_id: text() },
  },
  wipeStream: {
    ...wipe,
    route: 'DELETE /api/v1/admin/wipe/stream',
    summary: 'Delete all notifications of an event type',
    ...withOptions({ 'stream_name?': text('Event type'), 'dry_run?': DRY_RUN }),
  },
  wipeAll: {
    ...wipe,
    route: 'DELETE /api/v1/admin/wipe/all',
    summary: 'Delete all notifications',
    ...withOptions({ 'dry_run?': DRY_RUN }),
  },
}

const backups: Readonly<Record<string, OperationDoc>> = {
  backup: {
    ...operator,
    route: 'POST /api/v1/admin/backup',
    summary: 'Send a copy of the store',
    answers: {
      200: {
        about: 'Lines of JSON, and behind {"bytes":N} N bytes of the copy; the last line has its digest',
        content: { 'application/x-aviso-backup': { type: 'string', format: 'binary' } },
      },
    },
    errors: [...JOB_ERRORS, 'ERR_NOT_FOUND'],
    codes: ['UNKNOWN_FIELD'],
  },
  backupDone: {
    ...operator,
    route: 'POST /api/v1/admin/backup/done',
    summary: 'Record that the receiver has the copy',
    ...withOptions({ 'sha256?': text('Digest of the copy') }),
    answers: { 200: { about: 'It is recorded', content: json(done({})) } },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'ERR_CONFLICT'],
    codes: ['UNKNOWN_FIELD'],
  },
}

const config: Readonly<Record<string, OperationDoc>> = {
  serviceFiles: {
    ...operator,
    route: 'GET /api/v1/admin/config',
    summary: 'Configuration files of a service',
    query: { service: SERVICE },
    answers: {
      200: {
        about: 'Its files',
        content: json(
          done({
            service: text(),
            revision: digits(),
            status: orNull(mapOf({})),
            files: list(object({ path: text(), version: count(), revision: digits() })),
          }),
        ),
      },
    },
    errors: ['ERR_BAD_REQUEST', 'ERR_NOT_FOUND', 'ERR_NOT_ACCEPTABLE', ...READ_ERRORS],
  },
  serviceFile: {
    ...operator,
    route: 'GET /api/v1/admin/config/file',
    summary: 'One of them',
    query: {
      service: SERVICE,
      path: { about: 'Path of the file', required: true, example: '/event_schema.json' },
      revision: { about: 'As it was then', schema: text(undefined, { pattern: '^[1-9][0-9]{0,18}$' }) },
    },
    answers: {
      200: {
        about: 'The file',
        content: { 'application/octet-stream': { type: 'string', format: 'binary' } },
      },
    },
    errors: [
      'ERR_BAD_REQUEST',
      'ERR_NOT_FOUND',
      'ERR_NOT_ACCEPTABLE',
      'ERR_HISTORY_COMPACTED',
      'ERR_FUTURE_POSITION',
      ...READ_ERRORS,
    ],
    errorMembers: { success: flag(), oldest_revision: digits() },
  },
  pushFiles: {
    ...operator,
    route: 'POST /api/v1/admin/config/push',
    summary: 'Write files of a service',
    body: {
      content: json(
        strictObject({
          service: text(),
          message: text('Why', { maxLength: 512 }),
          files: list(
            object({ path: text(), content: text('As base64', { contentEncoding: 'base64' }) }),
            'At least one',
          ),
          'delete?': { ...FLAG, description: 'Delete the other files' },
          'unix_user?': text(undefined, { maxLength: 512 }),
          'hostname?': text(undefined, { maxLength: 512 }),
        }),
      ),
    },
    answers: { 200: { about: 'What was written', content: json(done(changed)) } },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'ERR_CONFLICT'],
    codes: ['UNKNOWN_FIELD'],
  },
  removeFiles: {
    ...operator,
    route: 'POST /api/v1/admin/config/remove',
    summary: 'Remove the files of a service',
    ...withOptions({
      'service?': text(),
      'doit?': { ...FLAG, description: 'Without it, nothing is removed' },
    }),
    answers: { 200: { about: 'What was, or would be removed', content: json(done(changed)) } },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'ERR_NOT_FOUND', 'ERR_CONFLICT'],
    codes: ['UNKNOWN_FIELD'],
  },
  revertFiles: {
    ...operator,
    route: 'POST /api/v1/admin/config/revert',
    summary: 'Put the files of a service back to the version before',
    ...withOptions({ 'service?': text() }),
    answers: { 200: { about: 'What was written', content: json(done(changed)) } },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'ERR_NOT_FOUND', 'ERR_CONFLICT', 'ERR_HISTORY_COMPACTED'],
    codes: ['UNKNOWN_FIELD'],
    errorMembers: { success: flag(), oldest_revision: digits() },
  },
}

/** The routes. */
export const doc: RoomDoc = {
  tag: 'operating',
  about: 'For administrators.',
  operations: { ...jobs, ...backups, ...removals, ...config },
}
