import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AvisoError } from '#shared/errors.ts'
import { toBytes } from '#shared/bytes/bytes.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { createChosenTransport } from '#shared/store/etcd/chosen_transport.ts'
import { silence, unavailable } from '#shared/store/etcd/errors.ts'
import type { Exchange, Outcome, StreamRequest, Transport } from '#shared/store/etcd/transport.ts'
import { malformed, type WireObject } from '#shared/store/etcd/wire.ts'
import { systemClock } from '#shared/time/clock.ts'

const DONE: Outcome<WireObject> = { kind: 'done', value: {} }
const UNREACHABLE: Outcome<WireObject> = { kind: 'not_done', error: unavailable() }
const NO_HTTP2: Outcome<WireObject> = { kind: 'not_done', error: malformed() }
const ENDPOINT = 'http://a:1'

/** A way that answers as the test says, and remembers what it was asked. */
class FakeWay implements Transport {
  readonly way = 'fake'
  answer: Outcome<WireObject>
  readonly asked: (readonly [path: string, message: object])[] = []
  readonly encodeBytes: Transport['encodeBytes']
  readonly beginsCut: boolean
  constructor(
    answer: Outcome<WireObject>,
    { encodeBytes, beginsCut }: Pick<Transport, 'encodeBytes' | 'beginsCut'>,
  ) {
    this.answer = answer
    this.encodeBytes = encodeBytes
    this.beginsCut = beginsCut
  }
  ask({ path, message }: Exchange): Promise<Outcome<WireObject>> {
    this.asked.push([path, message])
    return Promise.resolve(this.answer)
  }
  open({ message }: StreamRequest): ReturnType<Transport['open']> {
    this.asked.push(['open', message])
    if (this.answer.kind !== 'done') return Promise.resolve(this.answer)
    return Promise.resolve({
      kind: 'done',
      value: { next: () => Promise.resolve(undefined), cancel: () => undefined },
    })
  }
  close(): void {
    this.asked.push(['close', {}])
  }
  paths(): string[] {
    return this.asked.map(([path]) => path)
  }
}

function start(grpcAnswer: Outcome<WireObject>, gatewayAnswer = DONE) {
  const grpc = new FakeWay(grpcAnswer, { encodeBytes: (bytes) => bytes, beginsCut: false })
  const gateway = new FakeWay(gatewayAnswer, { encodeBytes: encodeBase64, beginsCut: true })
  const lines: string[] = []
  let now = 0
  const clock = { ...systemClock, monotonic: () => now }
  const logger = (level: string, message: string): void => void lines.push(`${level}: ${message}`)
  const chosen = createChosenTransport({ grpc, gateway, clock, logger })
  const exchange = { endpoint: ENDPOINT, path: '/v3/kv/range', token: undefined, limitMs: 1, signals: [] }
  const message = { key: chosen.encodeBytes(toBytes('k')), success: [{ request_put: { key: toBytes('l') } }] }
  return {
    grpc,
    gateway,
    lines,
    chosen,
    ask: (endpoint = ENDPOINT) => chosen.ask({ ...exchange, message, endpoint }),
    pass: (ms: number) => void (now += ms),
  }
}

const STATUS = '/v3/maintenance/status'
const RANGE = '/v3/kv/range'

describe('createChosenTransport()', () => {
  it('takes gRPC where it answers, asks once, and says so in one line', async () => {
    const { ask, grpc, gateway, lines, chosen } = start(DONE)
    await Promise.all([ask(), ask()])
    await ask('http://b:1')
    assert.deepEqual(grpc.paths(), [STATUS, RANGE, RANGE, STATUS, RANGE])
    assert.deepEqual(gateway.asked, [])
    assert.deepEqual(lines, ['info: The store is reached over gRPC'])
    assert.equal(chosen.beginsCut, false)
  })

  it('takes gRPC where it wants a token, or refuses', async () => {
    const error = new AvisoError('ERR_STORE_UNAVAILABLE', 'refused')
    for (const kind of ['login', 'refused'] as const) {
      const { ask, gateway } = start({ kind, error })
      await ask()
      assert.deepEqual(gateway.asked, [])
    }
  })

  it('takes the gateway where something else than HTTP/2 answers, and gives it bytes as base64', async () => {
    const { ask, grpc, gateway, lines, chosen } = start(NO_HTTP2)
    assert.equal((await ask()).kind, 'done')
    await ask()
    assert.deepEqual(grpc.paths(), [STATUS])
    const message = { key: 'aw==', success: [{ request_put: { key: 'bA==' } }] }
    assert.deepEqual(gateway.asked, [
      [RANGE, message],
      [RANGE, message],
    ])
    assert.deepEqual(lines, [
      'info: The store is reached over the JSON gateway of etcd, because no gRPC answers there',
    ])
    assert.equal(chosen.beginsCut, true)
  })

  it('takes the gateway where gRPC stays silent, and asks less and less often', async () => {
    for (const silent of [silence(1), { ...silence(1), kind: 'not_done' as const }]) {
      const { ask, grpc, gateway, pass } = start(silent)
      await ask()
      await ask()
      assert.deepEqual(grpc.paths(), [STATUS])
      for (const [ms, probes] of [
        [10_001, 2],
        [10_001, 2],
        [10_001, 3],
        [39_000, 3],
        [2_000, 4],
      ] as const) {
        pass(ms)
        assert.equal((await ask()).kind, 'done')
        assert.equal(grpc.asked.length, probes)
      }
      assert.equal(gateway.asked.length, 7)
    }
  })

  it('keeps nothing of a member that answers in no way', async () => {
    const { ask, grpc, gateway, lines } = start(UNREACHABLE, UNREACHABLE)
    await ask()
    grpc.answer = DONE
    await ask()
    assert.deepEqual(grpc.paths(), [STATUS, STATUS, RANGE])
    assert.deepEqual(gateway.paths(), [RANGE])
    assert.equal(lines.length, 1)
  })

  it('keeps the gateway for a while only where gRPC could not be reached', async () => {
    const { ask, grpc, gateway, pass } = start(UNREACHABLE)
    await ask()
    await ask()
    assert.deepEqual(grpc.paths(), [STATUS])
    grpc.answer = DONE
    pass(10_001)
    await ask()
    assert.deepEqual(grpc.paths(), [STATUS, STATUS, RANGE])
    assert.equal(gateway.asked.length, 2)
  })

  it('finds out again when the gateway fails, or something else answers in the place of gRPC', async () => {
    const { ask, grpc, gateway } = start(NO_HTTP2)
    await ask()
    gateway.answer = UNREACHABLE
    await ask()
    grpc.answer = DONE
    await ask()
    assert.deepEqual(grpc.paths(), [STATUS, STATUS, RANGE])
    grpc.answer = NO_HTTP2
    gateway.answer = DONE
    assert.equal((await ask()).kind, 'not_done')
    assert.equal((await ask()).kind, 'done')
    // A member that is away is the same when it comes back.
    assert.deepEqual(grpc.paths(), [STATUS, STATUS, RANGE, RANGE, STATUS])
  })

  it('asks a member over gRPC again after it was away', async () => {
    const { ask, grpc, gateway } = start(DONE)
    await ask()
    grpc.answer = UNREACHABLE
    assert.equal((await ask()).kind, 'not_done')
    assert.deepEqual(gateway.asked, [])
    assert.deepEqual(grpc.paths(), [STATUS, RANGE, RANGE])
  })

  it('opens watches the same way, and closes both', async () => {
    const { grpc, gateway, chosen } = start(NO_HTTP2)
    const message = { create_request: { key: toBytes('k') } }
    const request = { endpoint: ENDPOINT, message, token: undefined, signal: new AbortController().signal }
    assert.equal((await chosen.open(request)).kind, 'done')
    assert.deepEqual(gateway.asked, [['open', { create_request: { key: 'aw==' } }]])
    chosen.close()
    assert.deepEqual([grpc.paths().at(-1), gateway.paths().at(-1)], ['close', 'close'])
  })
})
