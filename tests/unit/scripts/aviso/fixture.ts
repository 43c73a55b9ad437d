/**
 * A scripted service, an output that remembers, and what else the client's tests share.
 *
 * @module
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Level } from '#shared/client/message_log.ts'
import type { Output } from '../../../../scripts/aviso/output.ts'
import type { ReceivedNotification } from '#shared/client/notification.ts'
import type { TriggerHost } from '../../../../scripts/aviso/triggers/trigger.ts'
import { createManualClock } from '../../../support/clock.ts'

/** Registers what a test must undo. */
export interface TestContext {
  after(task: () => Promise<void> | void): void
}

/** What the service was asked. */
export interface Asked {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A service whose n-th request is answered by the n-th step; the last step answers all further ones. */
export async function scriptedService(
  context: TestContext,
  steps: readonly ((response: ServerResponse, asked: Asked) => void)[],
): Promise<{ readonly url: string; readonly asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void (async () => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const entry = {
        method: request.method ?? '',
        url: new URL(request.url ?? '', 'http://x'),
        headers: request.headers,
        body,
      }
      const step = steps[Math.min(asked.length, steps.length - 1)]
      asked.push(entry)
      step?.(response, entry)
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** Starts a stream. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
}

/** Answers with JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** The frame of one notification. */
export function notificationFrame(
  number: number,
  { name = 'live-notification', time = '2026-08-10T12:00:00.000Z' } = {},
): string {
  const data = {
    identifier: { date: '20210101', country: 'italy', airport: 'FCO', number: `AZ${number}` },
    payload: 'Landed',
  }
  const event = {
    specversion: '1.0',
    id: `flight@${number}`,
    source: 'http://aviso',
    type: 'int.ecmwf.aviso.flight',
    time,
    data,
  }
  return `event: ${name}\ndata: ${JSON.stringify(event)}\nid: e.${number}.0\n\n`
}

/** A notification as triggers get it. */
export function notification(changes: Partial<ReceivedNotification> = {}): ReceivedNotification {
  return {
    id: 'flight@7',
    source: 'http://aviso',
    event: 'flight',
    sequence: '7',
    request: { date: '20210101', country: 'italy', airport: 'FCO', number: 'AZ203' },
    payloadName: 'payload',
    payload: 'Landed',
    ...changes,
  }
}

/** An output that keeps what it is told. */
export interface RecordedOutput extends Output {
  readonly results: string[]
  readonly logged: { readonly level: Level; readonly message: string }[]
}

export function recordedOutput(): RecordedOutput {
  const results: string[] = []
  const logged: RecordedOutput['logged'] = []
  return {
    results,
    logged,
    result: (text) => void results.push(text),
    log: (level, message) => void logged.push({ level, message }),
    status: () => undefined,
    clearStatus: () => undefined,
  }
}

/** What triggers act on. */
export function triggerHost(
  output: Output = recordedOutput(),
  environment: TriggerHost['environment'] = process.env,
): TriggerHost {
  return {
    output,
    json: false,
    home: '/home/joe',
    environment,
    fetch: (url, init) => fetch(url, init),
    clock: createManualClock(Date.UTC(2026, 7, 10, 12)),
  }
}

/** A signal that never comes. */
export const never: AbortSignal = new AbortController().signal
