/**
 * Describes the routes of the monitoring.
 *
 * @module
 */

import {
  count,
  json,
  list,
  mapOf,
  number,
  object,
  oneOf,
  orNull,
  text,
  time,
  type RoomDoc,
} from '#shared/http/doc.ts'

const STATUS = oneOf(['ok', 'warning', 'critical'])

/** The routes. */
export const doc: RoomDoc = {
  tag: 'monitoring',
  about: 'What services measure, and what is made of it.',
  operations: {
    telemetry: {
      route: 'POST /api/v1/telemetry',
      summary: 'Take telemetry of services that have no UDP',
      access: 'telemetry',
      form: 1,
      body: {
        about: 'One message of JSON per line',
        items: { 'application/x-ndjson': mapOf({}) },
        optional: true,
      },
      answers: {
        200: {
          about: 'How many messages were taken',
          content: json(object({ accepted: count(), refused: count() })),
        },
      },
      errors: [
        'ERR_UNAUTHENTICATED',
        'ERR_FORBIDDEN',
        'ERR_BAD_REQUEST',
        'ERR_BODY_TIMEOUT',
        'ERR_TOO_LARGE',
        'ERR_UNSUPPORTED_MEDIA_TYPE',
      ],
    },
    monitoringStatus: {
      route: 'GET /api/v1/monitoring/status',
      summary: 'Every check, and the figures behind it',
      access: 'administrator',
      form: 1,
      answers: {
        200: {
          about: 'The status',
          content: json(
            object({
              status: STATUS,
              time: time(),
              window_minutes: number(),
              users: count(),
              checks: list(object({ name: text(), status: STATUS, message: text(), metrics: mapOf({}) })),
              'etcd?': object({
                time: time(),
                member_count: orNull(count()),
                alarms: {},
                growth_bytes_per_second: orNull(number()),
                headroom_seconds: orNull(number()),
                members: list(
                  object({
                    url: text(),
                    healthy: {},
                    has_leader: {},
                    is_leader: {},
                    leader_changes: {},
                    size_bytes: orNull(count()),
                    size_in_use_bytes: orNull(count()),
                    quota_bytes: orNull(count()),
                    keys: orNull(count()),
                  }),
                ),
              }),
            }),
          ),
        },
      },
      errors: ['ERR_NOT_ACCEPTABLE', 'ERR_STORE_PROTOCOL', 'ERR_STORE_DAMAGED'],
    },
  },
}
