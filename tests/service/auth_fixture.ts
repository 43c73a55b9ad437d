/**
 * The whole system without sockets: a store in memory, the real ingest, hub and listening service, asked through the Fetch handler.
 *
 * @module
 */

import assert from 'node:assert/strict'
import type { EventSourceMessage } from 'eventsource-parser'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import type { System } from '#services/system/system.ts'
import { loadConfig } from '#services/system/settings.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock, type Clock } from '#shared/time/clock.ts'
import { readEvents, type ItemReader } from '../support/streams.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'
import { flight } from '../support/notifications.ts'

/** What the ingest answers. */
export interface Receipt {
  readonly id: string
  readonly sequence: string
  readonly revision: string
  readonly key: string
}

/** A frame of a stream. */
export interface Frame {
  readonly event: string
  readonly id: string | undefined
  readonly data: FrameData
}

/** Members of frames that tests look at. */
export interface FrameData {
  readonly [name: string]: unknown
  readonly type?: string
  readonly id?: string
  readonly reason?: string
  readonly position?: string
  readonly data?: { readonly identifier: Readonly<Record<string, string>>; readonly payload: unknown }
}

/** A running system. */
export interface TestSystem {
  readonly system: System
  readonly store: Store
  call(path: string, init?: RequestInit): Promise<Response>
  /** A POST of JSON, or of text as it stands. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  /** Publishes one notification of the flight event with this number. */
  publish(number: string, payload?: unknown): Promise<Receipt>
  /** Publishes flights in one revision. */
  publishTogether(...numbers: readonly string[]): Promise<readonly Receipt[]>
  /** Stores a notification as the 1.x service does: value and status, no journal. */
  publishForeign(number: string): Promise<bigint>
}

/** What differs from the configuration file. */
export interface SystemOptions {
  readonly vars?: Readonly<Record<string, number>>
  readonly clock?: Clock
  readonly store?: (clock: Clock) => Store
}

/** Runs `use` with a system that is closed afterwards. */
export async function withSystem(
  use: (test: TestSystem) => Promise<void>,
  {
    vars = {},
    clock = systemClock,
    store: open = (time) => createMemoryStore({ clock: time }),
  }: SystemOptions = {},
): Promise<void> {
  const auth = { ...configFile.workers.auth, vars: { ...configFile.workers.auth.vars, ...vars } }
  const text = JSON.stringify({ ...configFile, workers: { ...configFile.workers, auth } })
  const store = open(clock)
  const system = startTestSystem({
    config: loadConfig(text, 'test'),
    services: ['rest', 'auth'],
    store,
    clock,
  })
  try {
    await system.ready
    await use(createTestSystem(system, store))
  } finally {
    await system.close()
  }
}

function createTestSystem(system: System, store: Store): TestSystem {
  const call = (path: string, init?: RequestInit): Promise<Response> =>
    system.fetch(new Request(BASE_URL + path, init))
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    call(path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
  const ingest = async (body: unknown, headers?: Record<string, string>): Promise<unknown> => {
    const response = await post('/api/v1/notification', body, headers)
    const answer: unknown = await response.json()
    assert.equal(response.status, 200, JSON.stringify(answer))
    return answer
  }
  return {
    system,
    store,
    call,
    post,
    publish: async (number, payload = `payload of ${number}`) =>
      (await ingest({ event_type: 'flight', identifier: flight(number), payload })) as Receipt,
    publishTogether: async (...numbers) => {
      const events = numbers.map((number) => ({
        specversion: '1.0',
        id: crypto.randomUUID(),
        source: '/tests',
        type: 'aviso',
        data: { event: 'flight', request: flight(number), payload: `payload of ${number}` },
      }))
      const headers = { 'content-type': 'application/cloudevents-batch+json' }
      const { results } = (await ingest(events, headers)) as { results: readonly Receipt[] }
      assert.equal(new Set(results.map(({ revision }) => revision)).size, 1, 'one revision')
      return results
    },
    publishForeign: async (number) => {
      const base = toBytes('/tmp/aviso/flight/')
      const key = toBytes(`/tmp/aviso/flight/20260810/italy/FCO/${number}`)
      const { revision } = await store.txn({
        compare: [],
        success: [
          { kind: 'put', key, value: toBytes(`payload of ${number}`) },
          { kind: 'put', key: base, value: toBytes('{"date_time":"2026-08-10T12:00:00.000000Z"}') },
        ],
      })
      return revision
    },
  }
}

/** Reads the frames of a stream of server-sent events; heartbeats are left out. */
export function readFrames(response: Response): ItemReader<Frame> {
  const headers = [response.status, response.headers.get('content-type')]
  assert.deepEqual(headers, [200, 'text/event-stream'])
  const events = readEvents(response)
  const toFrame = ({ event, id, data }: EventSourceMessage): Frame => ({
    event: event ?? '',
    id,
    data: JSON.parse(data) as FrameData,
  })
  return {
    next: async (accept = ({ event }) => event !== 'heartbeat') => {
      for (;;) {
        const frame = toFrame(await events.next())
        if (accept(frame)) return frame
      }
    },
    rest: async () => (await events.rest()).map(toFrame).filter(({ event }) => event !== 'heartbeat'),
    close: () => events.close(),
  }
}

/** What a frame is, and of whom: `replay AZ1`, `replay-control replay_completed`, `connection-closing end_of_stream`. */
export function shown({ event, data }: Frame): string {
  return `${event} ${data.data?.identifier['number'] ?? data.reason ?? data.type ?? ''}`.trim()
}

/** Reads a stream to its end. */
export async function readAll(response: Response): Promise<string[]> {
  return (await readFrames(response).rest()).map(shown)
}
