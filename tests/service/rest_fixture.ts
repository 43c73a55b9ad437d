/** The ingest with a publisher that records what it is handed. */

import assert from 'node:assert/strict'
import { toFetchHandler } from '#shared/handler.ts'
import { createRestHandler } from '#services/rest/handler.ts'
import type { RestOptions } from '#services/rest/handler.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { AvisoError } from '#shared/errors.ts'
import { createBuiltinSchemas } from '#shared/notification/builtin_schemas.ts'
import type { Publisher, PublishItem, PublishResult } from '#shared/publish/publish.ts'
import { silentLogger } from '#shared/logger.ts'
import { asDescribed } from '../support/contract.ts'
import { createManualClock } from '../support/clock.ts'
import { DISSEMINATION } from '../support/notifications.ts'

export const schemas = createBuiltinSchemas()

/** What the clock of every handler shows. */
const NOW = Date.UTC(2026, 5, 10, 12, 34, 56, 789)

/** Counts the sequence up; ids in `failures` fail, ids in `replays` count as known. */
export function recordingPublisher(
  failures: ReadonlyMap<string, AvisoError> = new Map(),
  replays = new Set<string>(),
) {
  const items: PublishItem[] = []
  const calls: number[] = []
  const publish = (batch: readonly PublishItem[]): Promise<readonly PublishResult[]> => {
    calls.push(batch.length)
    return Promise.resolve(batch.map((item) => store(item)))
  }
  const store = (item: PublishItem): PublishResult => {
    const error = failures.get(item.id)
    if (error !== undefined) return { ok: false, error }
    items.push(item)
    const sequence = BigInt(items.length)
    const committedAt = '2026-06-10T12:34:56.789Z'
    const receipt = {
      event: item.event,
      key: item.keys.stem,
      revision: 2n ** 53n + sequence,
      sequence,
      committedAt,
    }
    return { ok: true, receipt: { ...receipt, replayed: replays.has(item.id) } }
  }
  const publisher: Publisher = { publish, close: () => Promise.resolve() }
  return { publisher, items, calls }
}

/** A handler with recorder. */
export function setUp(
  options: Partial<RestOptions> & { failures?: ReadonlyMap<string, AvisoError>; replays?: Set<string> } = {},
) {
  const { failures, replays, ...rest } = options
  const recorder = recordingPublisher(failures, replays)
  let randoms = 0
  const clock = createManualClock(NOW)
  const handler = asDescribed(
    toFetchHandler(
      createRestHandler({
        publisher: recorder.publisher,
        access: createOpenAccess(),
        schemas,
        clock,
        random: () => `random-${++randoms}`,
        logger: silentLogger,
        info: { version: '1.2.3' },
        ...rest,
      }),
    ),
  )
  const post = async (body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const init = { method: 'POST', headers, body: isRaw ? (body as BodyInit) : JSON.stringify(body) }
    const response = await handler(new Request('http://127.0.0.1/api/v1/notification', init))
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: parse(text) }
  }
  /** Posts what must be refused before anything is stored. */
  const refuse = async (body: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const before = recorder.calls.length
    const answer = await post(body, headers)
    assert.ok(answer.status >= 400, `accepted: ${JSON.stringify(body)?.slice(0, 200)}`)
    assert.equal(recorder.calls.length, before, 'the publisher is not called')
    assert.equal(typeof answer.body['message'], 'string')
    const { detail, details, message } = answer.body
    assert.equal(detail ?? details, message, 'the text is there for either generation')
    assert.ok(detail === undefined || details === undefined, 'and not for both')
    assert.equal(answer.body['request_id'], answer.headers.get('x-request-id'))
    return answer
  }
  return { ...recorder, handler, clock, post, refuse }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** The CloudEvent of the conformance cases around `data`. */
export function cloudEvent(
  data: unknown,
  attributes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    type: 'aviso',
    id: '0c02fdc5-148c-43b5-b2fa-cb1f590369ff',
    source: '/host/user',
    specversion: '1.0',
    time: '2020-03-02T13:34:40.245Z',
    datacontenttype: 'application/json',
    data,
    ...attributes,
  }
}

/** A dissemination event with some request fields replaced. */
export function dissemination(
  request: Readonly<Record<string, unknown>> = {},
  data: Readonly<Record<string, unknown>> = {},
) {
  return cloudEvent({
    event: 'dissemination',
    request: { ...DISSEMINATION, ...request },
    location: 's3://bucket/xyz',
    ...data,
  })
}

export function textOf(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value)
}
