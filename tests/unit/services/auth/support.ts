/**
 * A listening service on fakes: a store of given keys, and a hub whose streams the test writes.
 *
 * @module
 */

import assert from 'node:assert/strict'

import * as v from 'valibot'
import type { ByteSource } from '#shared/bytes/byte_source.ts'
import { toFetchHandler, type FetchHandler } from '#shared/handler.ts'
import { createAuthHandler, type AuthParts } from '#services/auth/handler.ts'
import { authVars, toHubLimits } from '#services/auth/settings.ts'
import type { Access } from '#shared/access/access.ts'
import { silentAudit } from '#shared/access/audit/audit.ts'
import { createQuotas } from '#shared/access/quota/quotas.ts'
import { createListening } from '#shared/access/listening.ts'
import { createOpenAccess } from '#shared/access/open_access.ts'
import { createPolicy } from '#shared/access/policy/policy.ts'
import { createStreamRights } from '#shared/access/policy/stream_rights.ts'
import type { Place } from '#services/auth/listen/request.ts'
import type { Positions } from '#services/auth/listen/start.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Notification } from '#shared/notification/notification.ts'
import type { Requester } from '#shared/access/policy/requester.ts'
import { compareBytes, isInRange, toBytes } from '#shared/bytes/bytes.ts'
import type { KeyValue, RangeRequest, RangeResult, Store } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import type { Hub, SubscribeRequest } from '#shared/hub/hub.ts'
import { asDescribed } from '../../../support/contract.ts'
import { createManualClock } from '../../../support/clock.ts'
import { BASE_URL, createTestSchemas } from '../../../support/system.ts'

export const EPOCH = 'epoch-1'
export const HEAD = 40n

/** A stored key; its value is the key itself unless given. */
export function keyValue(key: string, overrides: Partial<KeyValue> = {}): KeyValue {
  return {
    key: toBytes(key),
    value: toBytes(`value of ${key}`),
    createRevision: 5n,
    modRevision: 7n,
    version: 2n,
    lease: 0n,
    ...overrides,
  }
}

/** A store that only reads, and notes what it was asked. */
export interface FakeStore extends Store {
  readonly asked: RangeRequest[]
  /** What the next reads throw. */
  failure: AvisoError | undefined
}

export function createFakeStore(kvs: readonly KeyValue[]): FakeStore {
  const sorted = kvs.toSorted((a, b) => compareBytes(a.key, b.key))
  const unsupported = (): never => assert.fail('the listening service only reads')
  const store: FakeStore = {
    asked: [],
    failure: undefined,
    range: (request, options) => {
      store.asked.push(request)
      if (store.failure !== undefined) return Promise.reject(store.failure)
      const result = readFake(sorted, request)
      // As etcd, which counts the whole range each time.
      options?.onCounted?.(Number(result.count) - result.kvs.length)
      return Promise.resolve(result)
    },
    txn: unsupported,
    watch: unsupported,
    compact: unsupported,
    grantLease: unsupported,
    status: unsupported,
    close: () => Promise.resolve(),
  }
  return store
}

function readFake(sorted: readonly KeyValue[], request: RangeRequest): RangeResult {
  const inside = sorted.filter((kv) => isInRange(kv.key, request))
  const { minModRevision = 0n, maxModRevision = 1n << 62n, limit = 0, keysOnly = false } = request
  const kept = inside.filter((kv) => kv.modRevision >= minModRevision && kv.modRevision <= maxModRevision)
  const { sortTarget = 'KEY', sortOrder = 'NONE' } = request
  const order = sortOrder === 'DESCEND' ? -1 : 1
  const ordered = kept.toSorted(
    (a, b) =>
      order * (sortTarget === 'MOD' ? Number(a.modRevision - b.modRevision) : compareBytes(a.key, b.key)),
  )
  const cut = limit > 0 ? ordered.slice(0, limit) : ordered
  const kvs =
    request.countOnly === true ? [] : cut.map((kv) => (keysOnly ? { ...kv, value: new Uint8Array(0) } : kv))
  return {
    revision: HEAD,
    kvs,
    count: BigInt(inside.length),
    more: request.countOnly !== true && cut.length < ordered.length,
  }
}

/** A hub whose streams consist of what `script` makes of the format. */
export interface FakeHub extends Hub {
  readonly requests: SubscribeRequest[]
  canceled: number
  /** Frames of the next streams; the stream then stays open unless `ends`. */
  script: (request: SubscribeRequest) => readonly (Uint8Array | undefined)[]
  ends: boolean
  /** What the next subscriptions throw, in turn. */
  failures: (AvisoError | undefined)[]
}

export function createFakeHub(): FakeHub {
  const hub: FakeHub = {
    requests: [],
    canceled: 0,
    script: ({ format }) => [format.opening?.(HEAD)],
    ends: true,
    failures: [],
    read: (_request, ask) => ask(),
    subscribe: (request) => {
      hub.requests.push(request)
      const failure = hub.failures.shift()
      if (failure !== undefined) return Promise.reject(failure)
      const body: ByteSource = {
        open(sink) {
          for (const frame of hub.script(request)) if (frame !== undefined) sink.enqueue(frame)
          if (!hub.ends) return
          sink.close()
          request.onGone?.()
        },
        pull: () => undefined,
        cancel() {
          hub.canceled++
          request.onGone?.()
        },
      }
      return Promise.resolve({
        body,
        end: () => undefined,
        look: () => ({ position: { revision: 0n }, isCatchingUp: false, parkedMs: 0, bytes: 0 }),
      })
    },
    drain: () => Promise.resolve(),
    status: () => ({
      subscribers: 0,
      parked: 0,
      revision: HEAD,
      ringEntries: 0,
      ringBytes: 0,
      connected: true,
    }),
    close: () => Promise.resolve(),
  }
  return hub
}

const schemas = createTestSchemas()

/** A service on the fakes. */
export interface Fixture {
  readonly handler: FetchHandler
  readonly store: FakeStore
  readonly hub: FakeHub
}

/** Sequence n stands at revision n + 10, a date at the revision of its second. */
const fakePositions: Positions = {
  start: (_event, place) => Promise.resolve({ kind: 'revision', revision: revisionOf(place) }),
  end: (_event, place) => Promise.resolve(revisionOf(place)),
  sequenceAt: (_event, revision) => Promise.resolve(revision - 10n),
}

function revisionOf(place: Place): bigint {
  return place.kind === 'sequence' ? place.sequence + 10n : BigInt(Math.floor(place.at / 1000))
}

export function createFixture(kvs: readonly KeyValue[] = [], overrides: Partial<AuthParts> = {}): Fixture {
  const store = createFakeStore(kvs)
  const hub = createFakeHub()
  const handler = asDescribed(
    toFetchHandler(
      createAuthHandler({
        store,
        hub,
        schemas,
        access: createOpenAccess(),
        epoch: () => EPOCH,
        positions: fakePositions,
        clock: createManualClock(Date.parse('2026-08-10T12:00:00.500Z')),
        random: () => 'request-1',
        logger: silentLogger,
        info: { baseUrl: () => BASE_URL },
        limits: toHubLimits(v.getDefaults(authVars)),
        ...overrides,
      }),
    ),
  )
  return { handler, store, hub }
}

/** Units that joe may read at once. */
export const READS = 4

/** Takes every request for joe's, who may listen to these prefixes. */
export function accessTo(...prefixes: readonly string[]): Pick<Access, 'forListening'> {
  const identity = { provider: 'p', realm: 'r', username: 'joe', roles: [], claims: {} }
  const requester: Requester = {
    name: 'joe',
    identity,
    from: {},
    standing: { endsAt: undefined, validUntil: Infinity },
    again: () => Promise.resolve(requester),
    refusal: () => new AvisoError('ERR_FORBIDDEN', 'User not allowed to access the resource'),
  }
  const clock = createManualClock()
  const limits = { streams: 32, opens: { perSecond: 1, burst: 30 }, reads: { perSecond: 1, burst: READS } }
  const count = (): void => undefined
  const rules = [{ realm: '*', listen: [...prefixes] }]
  const policy = createPolicy({
    rules: { public: { listen: [], publish: [] }, open: [], rules },
    roots: new Map(),
    clock,
    count,
  })
  const quota = {
    perIdentity: limits,
    perAddress: limits,
    streams: 100,
    reserves: { identities: 0, relays: 0 },
  }
  const rate = { perSecond: 1, burst: 1 }
  const forListening = createListening({
    identify: () => Promise.resolve(requester),
    policy: () => policy,
    audit: silentAudit,
    rights: createStreamRights({ clock, logger: silentLogger, count }),
    count,
    quota,
    quotas: createQuotas(clock, { listening: quota, publishing: { perIdentity: rate, perAddress: rate } }),
  })
  return { forListening }
}

/** A POST with a JSON body, or with a body as it stands. */
export function post(path: string, body: unknown, headers: Record<string, string> = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return new Request(BASE_URL + path, { method: 'POST', body: text, headers })
}

/** A notification of the flight event. */
export function notification(overrides: Partial<Notification> = {}): Notification {
  return {
    revision: 12n,
    index: 0,
    event: 'flight',
    key: '/tmp/aviso/flight/20260810/italy/FCO/AZ203',
    request: { date: '20260810', country: 'italy', airport: 'FCO', number: 'AZ203' },
    value: toBytes('s3://bucket/object'),
    sequence: 3n,
    ...overrides,
  }
}
