/**
 * Describes what every process answers, whatever its services.
 *
 * @module
 */

import { RIGHTS_MEMBERS } from '#services/auth/history/rights_body.ts'
import { OUTCOMES } from './audit_routes.ts'
import { AUDIT_ACTIONS } from '#shared/access/audit/audit.ts'
import {
  count,
  flag,
  json,
  list,
  mapOf,
  named,
  object,
  oneOf,
  orNull,
  text,
  time,
  type OperationDoc,
  type RoomDoc,
} from '#shared/http/doc.ts'

const alive = (route: OperationDoc['route']): OperationDoc => ({
  route,
  summary: 'Whether the process is alive',
  access: 'everyone',
  form: 1,
  answers: { 200: { about: 'It is', content: json(object({ status: oneOf(['ok']) })) } },
})

const ready = (route: OperationDoc['route']): OperationDoc => {
  const body = json(
    object({
      status: oneOf(['ready', 'not_ready']),
      backend_connected: flag('Whether the store answered just now'),
      streams: count('Open streams'),
      'reason?': text('Why it is not ready'),
    }),
  )
  return {
    route,
    summary: 'Whether the process takes work',
    access: 'everyone',
    form: 1,
    answers: {
      200: { about: 'It does', content: body },
      503: { about: 'It does not, now', content: body },
    },
  }
}

/** The routes. */
export const doc: RoomDoc = {
  tag: 'health',
  about: 'For probes and Prometheus.',
  operations: {
    health: alive('GET /health'),
    livez: alive('GET /livez'),
    ready: ready('GET /ready'),
    readyz: ready('GET /readyz'),
    metrics: {
      route: 'GET /metrics',
      summary: 'Metrics, in the form of Prometheus or OpenMetrics',
      access: 'everyone',
      form: 1,
      answers: {
        200: {
          about: 'The metrics',
          content: { 'text/plain': text(), 'application/openmetrics-text': text() },
        },
      },
    },
  },
}

const record = object(
  {
    number: count('Rises from record to record of this process'),
    time: time(),
    action: oneOf(AUDIT_ACTIONS),
    'provider?': text('Who knew the user'),
    'realm?': text(),
    'user?': text('Absent: none was given, or none is known'),
    'request_id?': text(),
    'address?': text(),
    'event?': text(),
    'keys?': list(text()),
    'more_keys?': count('So many more were asked for'),
    'ids?': list(text(), 'Of notifications, in runs: `flight@9-12`'),
    'more_ids?': count('So many runs more'),
    'reason?': text('Code of a refusal, reason of an end, or the administrative request'),
    'position?': text(),
    'count?': count('Actions that the record stands for'),
  },
  'A record as the audit log has it',
)

/** What operators see of the audit log and of the policy. */
export const operatingDoc: RoomDoc = {
  tag: 'operating',
  about: 'For administrators.',
  schemas: { AuditRecord: record },
  operations: {
    audit: {
      route: 'GET /api/v1/admin/audit',
      summary: 'Who did what lately, and what was refused',
      about:
        'The newest records of the process that answers, in memory: a restart forgets them. `vars.audit.file` keeps all of them.',
      access: 'administrator',
      form: 2,
      query: {
        limit: { about: 'Most of a page', schema: { type: 'integer', minimum: 1, maximum: 1000 } },
        cursor: { about: 'That of the page before', schema: text(undefined, { pattern: '^[0-9]{1,15}$' }) },
        action: { about: 'Only this action', schema: oneOf(AUDIT_ACTIONS) },
        outcome: { about: 'Only what was refused, or only the rest', schema: oneOf(OUTCOMES) },
        who: { about: 'Only of this user; `anonymous`: of those without a name' },
        event: { about: 'Only of this event type' },
      },
      answers: {
        200: {
          about: 'The newest first',
          content: json(
            object({
              instance: text('Which process it is'),
              has_published: flag('Whether published notifications are recorded: where `vars.audit` is set'),
              kept_of_each_action: count('Most records'),
              records: list(named('AuditRecord')),
              cursor: orNull(text()),
            }),
          ),
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_ACCEPTABLE'],
    },
    access: {
      route: 'GET /api/v1/admin/access',
      summary: 'What a user may do, and which part of the configuration says so',
      about:
        'By the policy that counts now. Realm and roles that are left out are those of the token that the configuration has for the user.',
      access: 'administrator',
      form: 2,
      query: {
        user: { about: 'Name of the user; absent: requests without an identity', example: 'joe' },
        realm: { about: 'Their realm, where several providers may know them' },
        role: { about: 'A role of the user; may be given several times', schema: list(text()) },
        claim: { about: 'What else a provider says of the user, such as `team=x`', schema: list(text()) },
      },
      answers: {
        200: {
          about: 'As `GET /api/v1/me` says it to the user',
          content: json(
            object({
              user: orNull(mapOf({}, 'The identity that was asked about')),
              ...RIGHTS_MEMBERS,
              unmet: list(object({ by: text(), reason: text() }), 'Rules that do not apply, and why'),
            }),
          ),
        },
      },
      errors: ['ERR_BAD_REQUEST', 'ERR_NOT_ACCEPTABLE'],
    },
  },
}
