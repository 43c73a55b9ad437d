/** The admin service over a store in memory, with a real publisher beside it. */

import { toFetchHandler } from '#shared/handler.ts'
import { createAdminService, type AdminParts, type AdminService } from '#services/admin/handler.ts'
import { createRestHandler } from '#services/rest/handler.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { createPublisher } from '#shared/publish/publisher.ts'
import { asDescribed } from '../support/contract.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { createSkippingClock, type TestClock } from '../support/clock.ts'
import { SETTINGS, NOW, schemas } from '../unit/services/admin/jobs/fixture.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface AdminFixture {
  readonly store: Store
  readonly clock: TestClock
  readonly service: AdminService
  /** Publishes a flight. @returns Its number. */
  readonly publish: (number: string, payload?: string) => Promise<bigint>
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answer>
}

export function setUp(parts: Partial<AdminParts> = {}): AdminFixture {
  const clock = createSkippingClock(NOW)
  const store = parts.store ?? createMemoryStore({ clock })
  let randoms = 0
  const random = (): string => `random-${++randoms}`
  const service = createAdminService({
    store,
    maintenance: undefined,
    access: createOpenAccess(),
    schemas,
    clock,
    logger: silentLogger,
    settings: SETTINGS,
    random,
    info: { version: '1.2.3' },
    ...parts,
  })
  const identity = { unixUser: 'user', hostname: 'host', version: '1' }
  const publisher = createPublisher({ store, clock, random, logger: silentLogger, identity })
  const ingest = asDescribed(
    toFetchHandler(
      createRestHandler({
        publisher,
        access: createOpenAccess(),
        schemas,
        clock,
        random,
        logger: silentLogger,
        info: { version: '1' },
      }),
    ),
  )
  const fetch = asDescribed(toFetchHandler(service.handle))
  return {
    store,
    clock,
    service,
    publish: async (number, payload = 'Landed') => {
      const identifier = { country: 'italy', airport: 'FCO', date: '20261125', number }
      const body = JSON.stringify({ event_type: 'flight', identifier, payload })
      const response = await ingest(
        new Request('http://127.0.0.1/api/v1/notification', { method: 'POST', body }),
      )
      const { sequence } = (await response.json()) as { readonly sequence: string }
      return BigInt(sequence)
    },
    call: async (method, path, body, headers = {}) => {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
      const init = {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(text !== undefined && { body: text }),
      }
      const response = await fetch(new Request(`http://127.0.0.1${path}`, init))
      const answer = await response.text()
      return { status: response.status, headers: response.headers, text: answer, body: parse(answer) }
    },
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}
