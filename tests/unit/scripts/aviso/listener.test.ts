import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { runListener, type ListenerParts } from '../../../../scripts/aviso/listener.ts'
import type { Position } from '../../../../scripts/aviso/position.ts'
import type { StreamMessage } from '#shared/client/stream.ts'
import { TriggerError, type OnFailure, type Trigger } from '../../../../scripts/aviso/triggers/trigger.ts'
import { createIdleClock, createManualClock, settle } from '../../../support/clock.ts'
import { never, notification, recordedOutput } from './fixture.ts'

/** A path that cannot be written. */
const DEAD_LETTERS = '/no/such/folder/listener.dead.ndjson'

function message(number: number, time = '2026-08-10T12:00:00.000Z'): StreamMessage {
  return {
    kind: 'notification',
    cursor: `e.${number}.0`,
    event: { ...notification(), id: `flight@${number}`, time },
  }
}

interface Run {
  readonly messages: readonly StreamMessage[]
  readonly run?: (id: string) => void | Promise<void>
  readonly onFailure?: OnFailure
  readonly onPoison?: OnFailure
  readonly deadLetters?: string
  readonly parts?: Partial<ListenerParts>
}

/** Runs a listener; `log` tells what was done and saved, in order. */
async function listen({
  messages,
  run = () => undefined,
  onFailure = 'stop',
  onPoison = 'continue',
  deadLetters = DEAD_LETTERS,
  parts = {},
}: Run) {
  const log: string[] = []
  let cursor: string | undefined
  const position: Position = {
    isLocked: true,
    deadLetters,
    get cursor() {
      return cursor
    },
    save(next) {
      cursor = next
      log.push(`save ${next}`)
      return Promise.resolve()
    },
    close: () => undefined,
  }
  const trigger: Trigger = {
    type: 'scripted',
    retries: 0,
    onFailure,
    onPoison,
    async run({ id, payloadName }) {
      log.push(`run ${id}${payloadName === 'payload' ? '' : ` ${payloadName}`}`)
      await run(id)
    },
    plan: () => ({ text: 'be scripted', details: {} }),
  }
  async function* stream(): AsyncGenerator<StreamMessage> {
    for (const one of messages) {
      yield await Promise.resolve(one)
      // The next one is not there before this one is done with.
      for (let rounds = 0; rounds < 10; rounds++) await settle()
    }
  }
  const finished = runListener({
    stream: stream(),
    triggers: [trigger],
    position,
    payloadName: () => Promise.resolve('payload'),
    onConnected: () => log.push('connected'),
    onReceived: () => undefined,
    output: recordedOutput(),
    clock: createIdleClock(),
    random: () => 1,
    stop: never,
    kill: never,
    ...parts,
  })
  return { log, finished }
}

const poison = (): never => {
  throw new TriggerError('cannot start', { retryable: false, isPoison: true })
}

const fail = (): never => {
  throw new TriggerError('no', { retryable: false })
}

describe('runListener()', () => {
  it('tells when a connection stands', async () => {
    const { log, finished } = await listen({ messages: [{ kind: 'connected' }, message(1)] })
    await finished
    assert.deepEqual(log.slice(0, 2), ['connected', 'run flight@1'])
  })

  it('saves the position after the triggers, for notifications and for progress', async () => {
    const { log, finished } = await listen({
      messages: [message(1), { kind: 'progress', cursor: 'e.5' }, message(6)],
    })
    await finished
    assert.deepEqual(log, ['run flight@1', 'save e.1.0', 'save e.5', 'run flight@6', 'save e.6.0'])
  })

  it('leaves the position where it was when a trigger fails, and ends with 1', async () => {
    const { log, finished } = await listen({
      messages: [message(1), message(2), message(3)],
      run: (id) => (id === 'flight@2' ? fail() : undefined),
    })
    await assert.rejects(
      finished,
      (error) =>
        error instanceof ClientError &&
        error.exitCode === 1 &&
        error.message.startsWith('Stopped at notification flight@2'),
    )
    assert.deepEqual(log, ['run flight@1', 'save e.1.0', 'run flight@2'])
  })

  it('passes over a failure with on_failure: continue', async () => {
    const { log, finished } = await listen({
      messages: [message(1), message(2)],
      run: fail,
      onFailure: 'continue',
    })
    await finished
    assert.deepEqual(log, ['run flight@1', 'save e.1.0', 'run flight@2', 'save e.2.0'])
  })

  it('saves the place of a stream as soon as it is open, and only then says that it stands', async () => {
    const { log, finished } = await listen({
      messages: [
        { kind: 'connected', cursor: 'e.40' },
        { kind: 'progress', cursor: 'e.40' },
      ],
    })
    await finished
    assert.deepEqual(log, ['save e.40', 'connected'])
  })

  it('keeps a notification that its trigger can never handle, says so, and goes on', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
    context.after(() => rm(folder, { recursive: true, force: true }))
    const deadLetters = join(folder, 'x.dead.ndjson')
    const output = recordedOutput()
    const { log, finished } = await listen({
      messages: [message(1), message(2), message(3)],
      run: (id) => (id === 'flight@2' ? poison() : undefined),
      deadLetters,
      parts: { output },
    })
    await finished
    assert.deepEqual(
      log.filter((line) => line.startsWith('save')),
      ['save e.1.0', 'save e.2.0', 'save e.3.0'],
    )
    assert.equal((JSON.parse(await readFile(deadLetters, 'utf8')) as { id: string }).id, 'flight@2')
    assert.equal(
      output.logged.filter(({ level }) => level === 'ERROR').at(-1)?.message,
      `Notification flight@2 was passed over, because the trigger scripted cannot handle it: cannot start. It is kept in ${deadLetters}`,
    )
  })

  it('ends at such a notification with on_poison: stop, and where it cannot be kept', async () => {
    for (const onPoison of ['stop', 'continue'] as const) {
      const { log, finished } = await listen({ messages: [message(1), message(2)], run: poison, onPoison })
      await assert.rejects(finished, (error) => error instanceof ClientError && error.exitCode === 1)
      assert.deepEqual(log, ['run flight@1'], onPoison)
    }
  })

  it('only says so in a look into the past, which can be repeated', async () => {
    const output = recordedOutput()
    const { finished } = await listen({
      messages: [message(1), { kind: 'caught-up' }],
      run: poison,
      parts: { output, position: undefined, until: Date.parse('2026-08-10T13:00:00Z') },
    })
    await finished
    assert.match(output.logged.at(-1)?.message ?? '', /^Notification flight@1 was passed over/)
  })

  it('finishes the running trigger and saves when it is told to stop', async () => {
    const stop = new AbortController()
    const { log, finished } = await listen({
      messages: [message(1), message(2)],
      run: async () => {
        stop.abort()
        await settle()
      },
      parts: { stop: stop.signal },
    })
    await finished
    assert.deepEqual(log, ['run flight@1', 'save e.1.0'])
  })

  it('does not save a notification whose trigger failed while stopping', async () => {
    const stop = new AbortController()
    const run = (): never => {
      stop.abort()
      return fail()
    }
    const { log, finished } = await listen({ messages: [message(1)], run, parts: { stop: stop.signal } })
    await finished
    assert.deepEqual(log, ['run flight@1'])
  })

  it('saves once for many notifications that come at once, and never later than they are done', async () => {
    const messages = Array.from({ length: 50 }, (_, at) => message(at + 1))
    const clock = createManualClock()
    const log: string[] = []
    async function* stream(): AsyncGenerator<StreamMessage> {
      yield* messages
      await Promise.resolve()
    }
    const { finished, log: saved } = await listen({ messages: [], parts: { stream: stream(), clock } })
    await finished
    log.push(...saved.filter((line) => line.startsWith('save')))
    assert.deepEqual(log, ['save e.1.0', 'save e.50.0'])
  })

  it('ends when saving fails', async () => {
    const position: Position = {
      isLocked: true,
      deadLetters: DEAD_LETTERS,
      cursor: undefined,
      save: () => Promise.reject(new Error('disk full')),
      close: () => undefined,
    }
    const { finished } = await listen({ messages: [message(1), message(2)], parts: { position } })
    await assert.rejects(finished, /disk full/)
  })

  it('ends a look into the past behind its last moment, or when history is complete', async () => {
    const until = Date.parse('2026-08-10T13:00:00Z')
    const late = await listen({
      messages: [message(1), message(2, '2026-08-10T13:00:01Z'), message(3)],
      parts: { until, position: undefined },
    })
    await late.finished
    assert.deepEqual(late.log, ['run flight@1'])
    const complete = await listen({
      messages: [message(1), { kind: 'caught-up' }, message(3)],
      parts: { until, position: undefined },
    })
    await complete.finished
    assert.deepEqual(complete.log, ['run flight@1'])
  })

  it('gives the payload the name that the service has for it, asked for once', async () => {
    let asked = 0
    const payloadName = (): Promise<string> => Promise.resolve(asked++ === 0 ? 'location' : 'other')
    const { log, finished } = await listen({
      messages: [message(1), message(2)],
      parts: { payloadName, position: undefined },
    })
    await finished
    assert.deepEqual(log, ['run flight@1 location', 'run flight@2 location'])
  })
})
