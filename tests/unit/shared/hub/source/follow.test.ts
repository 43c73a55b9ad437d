import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError, type AvisoErrorCode } from '#shared/errors.ts'
import { EPOCH_KEY } from '#shared/store/epoch_key.ts'
import { toBytes, toText } from '#shared/bytes/bytes.ts'
import { createFlakyStore } from '../../../../contract/hub_flaky_store.ts'
import { damagedAt } from '../../../../support/damaged_reads.ts'
import { createMemoryStore } from '../../../../support/memory_store.ts'
import type { RangeRequest, Revision, Store, WatchMessage, WatchRequest } from '#shared/store/store.ts'
import { silentLogger } from '#shared/logger.ts'
import { systemClock } from '#shared/time/clock.ts'
import { followStore, type FollowRequest } from '#shared/hub/source/follow.ts'
import { putEvent } from '../hub_support.ts'
import { createManualClock, createSkippingClock } from '../../../../support/clock.ts'
import { eventually } from '../../../../support/waiting.ts'

/** What one watch of the script yields; a code at the end is thrown, otherwise the watch breaks off. */
type Script = readonly (Revision | `progress ${number}` | AvisoErrorCode)[]

interface Scripted {
  readonly store: Store
  /** Starts that the watches were asked for. */
  readonly starts: (Revision | undefined)[]
  epoch: string
  head: Revision
  /** Whether the store has what its watches have yielded. */
  hasPast: boolean
}

function scripted(...scripts: readonly Script[]): Scripted {
  const memory = createMemoryStore({ clock: createManualClock() })
  const starts: (Revision | undefined)[] = []
  const state: Scripted = {
    store: { ...memory, watch, range },
    starts,
    epoch: 'e',
    head: 1_000n,
    hasPast: true,
  }
  return state

  function range({ key, revision }: RangeRequest): ReturnType<Store['range']> {
    const isEpoch = toText(key) === EPOCH_KEY
    const past = putEvent('/t/a/n', state.hasPast ? (revision ?? 0n) : 3n)
    const { kv } = isEpoch ? putEvent(EPOCH_KEY, 1n, state.epoch) : past
    return Promise.resolve({ revision: state.head, kvs: [kv], count: 1n, more: false })
  }
  async function* watch(request: WatchRequest): AsyncGenerator<WatchMessage, void, undefined> {
    const script = scripts[starts.length] ?? []
    starts.push(request.from)
    yield { kind: 'created', revision: state.head }
    for (const step of script) {
      if (typeof step === 'bigint') {
        yield { kind: 'revision', revision: step, events: [putEvent('/t/a/n', step)] }
      } else if (step.startsWith('progress ')) {
        yield { kind: 'progress', revision: BigInt(step.slice(9)) }
      } else throw new AvisoError(step as AvisoErrorCode, 'As the script says')
    }
    throw new AvisoError('ERR_STORE_UNAVAILABLE', 'The watch broke off')
  }
}

/** Follows until so many revisions have come; waits take no time. */
async function follow(
  { store }: Scripted,
  count: number,
  more: Partial<FollowRequest> = {},
): Promise<Revision[]> {
  const stop = new AbortController()
  const clock = createSkippingClock()
  const revisions: Revision[] = []
  const request = { key: toBytes('/'), end: toBytes('0') }
  for await (const message of followStore({
    store,
    range: request,
    from: 5n,
    clock,
    random: () => 'random',
    logger: silentLogger,
    signal: stop.signal,
    ...more,
  })) {
    if (message.kind === 'revision') revisions.push(message.revision)
    if (revisions.length === count) stop.abort()
  }
  return revisions
}

describe('followStore()', () => {
  it('goes on behind the last revision, or progress of the same watch, across disturbances', async () => {
    const script = scripted([5n, 7n], [], ['progress 9'], [10n, 'ERR_STORE_PROTOCOL'], [11n, 12n])
    assert.deepEqual(await follow(script, 5), [5n, 7n, 10n, 11n, 12n])
    assert.deepEqual(script.starts, [5n, 8n, 8n, 10n, 11n])
  })

  it('drops what comes again, and counts it', async () => {
    const script = scripted([5n, 6n, 5n, 6n, 'progress 3', 7n], [8n])
    let violations = 0
    assert.deepEqual(await follow(script, 4, { onOrderViolation: () => violations++ }), [5n, 6n, 7n, 8n])
    assert.equal(violations, 2)
    assert.deepEqual(script.starts, [5n, 8n])
  })

  it('ends where it cannot go on without a gap', async () => {
    await assert.rejects(follow(scripted([5n, 'ERR_HISTORY_COMPACTED']), 9), {
      code: 'ERR_HISTORY_COMPACTED',
    })
    const replaced = scripted([5n], [6n])
    await assert.rejects(
      follow(replaced, 9, {
        onState: ({ connected }) => {
          if (!connected) replaced.epoch = 'other'
        },
      }),
      { code: 'ERR_EPOCH_CHANGED' },
    )
    const rewound = scripted([500n], [501n])
    await assert.rejects(
      follow(rewound, 9, {
        onState: ({ connected }) => {
          if (!connected) rewound.head = 400n
        },
      }),
      { code: 'ERR_EPOCH_CHANGED' },
    )
  })

  it('ends where the store went back and is ahead again, with another past', async () => {
    const script = scripted([500n], [501n])
    await assert.rejects(
      follow(script, 9, {
        onState: ({ connected }) => {
          if (!connected) script.hasPast = false
        },
      }),
      { code: 'ERR_EPOCH_CHANGED' },
    )
  })

  it('ends where another process gives the store a new epoch, not where an old one lies in history', async () => {
    const yielded: Revision[] = []
    const memory = createMemoryStore({ clock: createManualClock() })
    const write = (epoch: string): Promise<unknown> =>
      memory.txn({
        compare: [],
        success: [{ kind: 'put', key: toBytes(EPOCH_KEY), value: toBytes(epoch) }],
      })
    await write('before')
    await write('present')
    const request = {
      store: memory,
      range: { key: toBytes('/'), end: toBytes('0') },
      from: 1n,
      clock: createSkippingClock(),
      random: () => 'random',
      logger: silentLogger,
      signal: new AbortController().signal,
    }
    await assert.rejects(
      async () => {
        for await (const message of followStore(request)) {
          if (message.kind !== 'revision') continue
          yielded.push(message.revision)
          if (yielded.length === 2) await write('next')
        }
      },
      { code: 'ERR_EPOCH_CHANGED' },
    )
    assert.deepEqual(yielded, [2n, 3n])
  })

  it('goes on in its own store when what it has seen last is damaged since', async () => {
    const flaky = createFlakyStore(createMemoryStore({ clock: systemClock }))
    const damaged = new Set<Revision>()
    const write = (key: string): Promise<unknown> =>
      flaky.txn({ compare: [], success: [{ kind: 'put', key: toBytes(key), value: toBytes('v') }] })
    await write('/a')
    const stop = new AbortController()
    const seen: Revision[] = []
    const request = {
      store: damagedAt(flaky, damaged),
      range: { key: toBytes('/'), end: toBytes('0') },
      from: 1n,
      clock: createSkippingClock(),
      random: () => 'random',
      logger: silentLogger,
      signal: stop.signal,
    }
    const running = (async () => {
      for await (const message of followStore(request))
        if (message.kind === 'revision') seen.push(message.revision)
    })()
    await eventually('the first', () => seen.length === 1)
    damaged.add(2n)
    flaky.breakAll()
    await write('/b')
    await eventually('the second', () => seen.length === 2)
    stop.abort()
    await running
    assert.deepEqual(seen, [2n, 3n])
  })

  it('knows the store that another follower has seen', async () => {
    const epoch = { known: undefined }
    await follow(scripted([5n]), 1, { epoch })
    const other = scripted([5n])
    other.epoch = 'other'
    await assert.rejects(follow(other, 1, { epoch }), { code: 'ERR_EPOCH_CHANGED' })
  })
})
