/**
 * What programs of any version are asked alike.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { flight } from '../../support/notifications.ts'

/** Publishes a notification with the payload `INn`. @returns its id */
export async function publishFlight(url: string, number: number): Promise<string> {
  const answer = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({
      specversion: '1.0',
      id: `id-${number}`,
      source: '/tests',
      type: 'aviso',
      data: { event: 'flight', request: flight(`IN${number}`), payload: `IN${number}` },
    }),
  })
  const receipt = (await answer.json()) as { readonly id: string }
  assert.equal(answer.status, 200, JSON.stringify(receipt))
  return receipt.id
}

/** What a stream tells of a notification, and the place behind it. */
export interface Told {
  readonly id: string
  readonly time: string
  readonly payload: unknown
  readonly cursor: string
}

/** Reads a stream up to the end of its history. */
export async function readLines(address: string): Promise<readonly Told[]> {
  const stop = new AbortController()
  const answer = await fetch(address, { headers: { accept: 'text/event-stream' }, signal: stop.signal })
  assert.equal(answer.status, 200)
  const told: Told[] = []
  let text = ''
  for await (const piece of answer.body ?? []) {
    text += new TextDecoder().decode(piece as Uint8Array)
    if (text.includes('replay_completed')) break
  }
  stop.abort()
  for (const block of text.split('\n\n')) {
    const data = /^data: (.*)$/m.exec(block)?.[1]
    const cursor = /^id: (.*)$/m.exec(block)?.[1]
    if (data === undefined || cursor === undefined || !block.includes('event: replay\n')) continue
    const {
      id,
      time,
      data: inner,
    } = JSON.parse(data) as {
      readonly id: string
      readonly time: string
      readonly data: { readonly payload: unknown }
    }
    told.push({ id, time, payload: inner.payload, cursor })
  }
  return told
}
