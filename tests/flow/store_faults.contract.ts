/**
 * The whole system while what stands in its store's place misbehaves: clear errors at the edge, no crash, no unbounded memory, and recovery by itself.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Store } from '#shared/store/store.ts'
import type { Door } from '../faults/door.ts'
import { beginLocalSystem, startLocalSystem, type LocalSystem } from '../faults/in_process.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { passOnTo, startFaultyFront } from '../support/faulty_front.ts'
import { readEvents } from '../support/streams.ts'
import type { StoreFault } from './store_fault_cases.ts'
import { eventually } from '../support/waiting.ts'

/** Promised: everything works again so soon after the fault, with time for a machine that is busy with other tests. */
const RECOVERY_MS = 6_000
const SLOW_MACHINE_MS = 4_000
/** Nobody waits longer for an answer, be it a bad one: a publish has 10 s and one attempt more. */
const ANSWER_MS = 15_000 + SLOW_MACHINE_MS
/** What of an answer without end is taken, and what the machine's buffers hold. */
const MOST_TAKEN_BYTES = (64 + 16) * 1024 * 1024
/** Silent or broken connections that may pile up. */
const MOST_CONNECTIONS = 100
/** They mostly wait. */
const CONCURRENCY = 8
/** In the words of both generations; 14 is gRPC's, in which the facade answers. */
const STORE_CODE = /^(?:ERR_)?(?:STORE_UNAVAILABLE|STORE_PROTOCOL|OUTCOME_UNKNOWN|SERVICE_UNAVAILABLE|14)$/

/** What the suite is run with. */
export interface StoreFaultOptions {
  /** Opens the adapter over a port of this machine. */
  readonly open: (port: number) => Promise<Store>
  /** The faults; `otherCluster` is the port of one. */
  readonly faults: (otherCluster: number) => readonly StoreFault[]
}

/** Registers the suite for a way to etcd. */
export async function storeFaultContract(name: string, { open, faults }: StoreFaultOptions): Promise<void> {
  const skip = await etcdMissing()
  describe(`the system over ${name}, where the store`, { skip, concurrency: CONCURRENCY }, () => {
    let etcd: EtcdCluster
    let other: EtcdCluster
    before(async () => {
      ;[etcd, other] = await Promise.all([startTestEtcd(), startTestEtcd()])
    })
    after(() => Promise.all([etcd.close(), other.close()]))
    for (const [index, { name: what }] of faults(0).entries()) {
      it(what, { timeout: 120_000 }, async (context) => {
        const fault = faults(portOf(other))[index]
        assert.ok(fault !== undefined)
        const recoveredMs = await withstand(fault, { open, port: portOf(etcd), airport: `A${index}` })
        context.diagnostic(`recovered after ${Math.round(recoveredMs)} ms`)
        assert.ok(recoveredMs < RECOVERY_MS + SLOW_MACHINE_MS, `recovered after ${recoveredMs} ms`)
      })
    }
  })
}

function portOf({ endpoints }: EtcdCluster): number {
  return Number(new URL(endpoints[0] ?? '').port)
}

/** Where it happens. The airport keeps tests apart that run at the same time. */
interface Place {
  readonly open: StoreFaultOptions['open']
  readonly port: number
  readonly airport: string
}

/** @returns How long after the fault everything worked again, in milliseconds. */
async function withstand(
  { manner, isOther = false }: StoreFault,
  { open, port, airport }: Place,
): Promise<number> {
  const front = await startFaultyFront(passOnTo(port))
  const closers: (() => Promise<unknown>)[] = [() => front.close()]
  const start = async (begin: (store: Store) => Promise<LocalSystem>): Promise<LocalSystem> => {
    const store = await open(front.port)
    closers.push(() => store.close())
    const system = await begin(store)
    closers.push(() => system.close())
    return system
  }
  try {
    const { door } = await start(startLocalSystem)
    const listener = readEvents(await door(`/api/v1/watch?event=flight&airport=${airport}`))
    closers.push(() => listener.close())
    const hears = async (payload: string): Promise<void> => {
      const { data } = await listener.next(({ data: text }) => text.includes('"payload"'))
      assert.ok(data.includes(payload), data)
    }
    assert.equal((await publish(door, airport, 'before')).status, 200)
    await hears('before')

    await front.behave(manner)
    const late = await start(beginLocalSystem)
    late.ready.catch(() => undefined)
    await Promise.all([
      refusedWrite(() => publish(door, airport, 'meanwhile')),
      refusedWithCode(() => range(door)),
      refused(() => door('/ready')),
      // Whoever starts on another cluster cannot know better.
      ...(isOther ? [] : [refusedWithCode(() => late.door('/api/v1/watch?event=flight'))]),
      ...(isOther ? [] : [refusedWithCode(() => publish(late.door, airport, 'late'))]),
    ])
    assert.ok(front.mostSent < MOST_TAKEN_BYTES, `${front.mostSent} bytes were taken of one answer`)
    assert.ok(front.connections < MOST_CONNECTIONS, `${front.connections} connections stand`)

    await front.behave(passOnTo(port))
    const healedAt = performance.now()
    await answered('publishing works', () => publish(door, airport, 'after'))
    await hears('after')
    await answered('reading works', () => range(door))
    await answered('the service is ready', () => door('/ready'))
    if (!isOther) await late.ready
    return performance.now() - healedAt
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

function publish(door: Door, airport: string, payload: string): Promise<Response> {
  const identifier = { country: 'italy', airport, date: '20260810', number: 'AZ1' }
  const body = JSON.stringify({ event_type: 'flight', identifier, payload })
  return door('/api/v1/notification', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
}

function range(door: Door): Promise<Response> {
  const body = JSON.stringify({ key: btoa('/tmp/aviso/flight/'), range_end: btoa('/tmp/aviso/flight0') })
  return door('/v3/kv/range', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

/** The answer must be a 503 in time, and must say nothing of what the store said. */
async function refused(
  ask: () => Promise<Response>,
): Promise<{ readonly response: Response; readonly text: string }> {
  const askedAt = performance.now()
  const response = await ask()
  const tookMs = performance.now() - askedAt
  const text = await response.text()
  assert.equal(response.status, 503, text)
  assert.ok(tookMs < ANSWER_MS, `answered after ${tookMs} ms`)
  assert.doesNotMatch(text, /127\.0\.0\.1|It works|doctype/)
  return { response, text }
}

/** The same, with a code, a text for people, and when to come back. */
async function refusedWithCode(ask: () => Promise<Response>): Promise<void> {
  const { response, text } = await refused(ask)
  const { code, message } = JSON.parse(text) as { readonly code?: string | number; readonly message?: string }
  assert.match(String(code), STORE_CODE, text)
  assert.ok((message ?? '').length > 20, text)
  assert.ok(Number(response.headers.get('retry-after')) > 0, 'Retry-After')
}

/** The same, with what became of the write. */
async function refusedWrite(ask: () => Promise<Response>): Promise<void> {
  await refusedWithCode(async () => {
    const response = await ask()
    const { outcome } = (await response.clone().json()) as { readonly outcome?: string }
    assert.ok(outcome === 'none' || outcome === 'unknown', outcome)
    return response
  })
}

async function answered(what: string, ask: () => Promise<Response>): Promise<void> {
  await eventually(what, async () => {
    const response = await ask()
    const text = await response.text()
    assert.ok(response.status === 200 || response.status === 503, text)
    return response.status === 200
  })
}
