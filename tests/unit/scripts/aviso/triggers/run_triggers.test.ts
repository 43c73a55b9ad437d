import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runTriggers } from '../../../../../scripts/aviso/triggers/run_triggers.ts'
import { TriggerError, type OnFailure, type Trigger } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { createSkippingClock } from '../../../../support/clock.ts'
import { never, notification, recordedOutput } from '../fixture.ts'

function scripted(
  results: readonly ('ok' | 'transient' | 'final' | 'poison')[],
  { retries = 3, onFailure = 'stop' as OnFailure, onPoison = 'continue' as OnFailure } = {},
): Trigger & { runs: number } {
  const trigger = {
    type: 'scripted',
    retries,
    onFailure,
    onPoison,
    runs: 0,
    plan: () => ({ text: 'be scripted', details: {} }),
    run(): Promise<void> {
      const result = results[Math.min(trigger.runs++, results.length - 1)]
      return result === 'ok'
        ? Promise.resolve()
        : Promise.reject(
            new TriggerError('no', { retryable: result === 'transient', isPoison: result === 'poison' }),
          )
    },
  }
  return trigger
}

function run(
  triggers: readonly Trigger[],
  { stop = never, output = recordedOutput(), clock = createSkippingClock() } = {},
) {
  return runTriggers(triggers, notification(), { output, clock, random: () => 1, stop, kill: never })
}

describe('runTriggers()', () => {
  it('runs all of them in order', async () => {
    const order: number[] = []
    const triggers = [1, 2, 3].map((number) => ({
      ...scripted(['ok']),
      run: () => (order.push(number), Promise.resolve()),
    }))
    assert.deepEqual(await run(triggers), { kind: 'done' })
    assert.deepEqual(order, [1, 2, 3])
  })

  it('tries again what may pass, waiting longer each time', async () => {
    const trigger = scripted(['transient', 'transient', 'ok'])
    const clock = createSkippingClock()
    assert.deepEqual(await run([trigger], { clock }), { kind: 'done' })
    assert.equal(trigger.runs, 3)
    assert.deepEqual(clock.sleeps, [1500, 2500])
  })

  it('waits as long as the receiver asks', async () => {
    const clock = createSkippingClock()
    const output = recordedOutput()
    let runs = 0
    const trigger = {
      ...scripted(['ok']),
      run: () =>
        runs++ === 0
          ? Promise.reject(new TriggerError('busy', { retryable: true, retryAfterMs: 90_000 }))
          : Promise.resolve(),
    }
    assert.deepEqual(await run([trigger], { clock, output }), { kind: 'done' })
    assert.deepEqual(clock.sleeps, [90_000])
    assert.match(output.logged[0]?.message ?? '', /attempt 2 of 4 follows after 90 s, as the receiver asked/)
  })

  it('gives up after its retries and skips the remaining triggers', async () => {
    const [first, second] = [scripted(['transient'], { retries: 2 }), scripted(['ok'])]
    const output = recordedOutput()
    assert.deepEqual(await run([first, second], { output }), { kind: 'failed' })
    assert.equal(first.runs, 3)
    assert.equal(second.runs, 0)
    assert.deepEqual(
      output.logged.map(({ message }) => message),
      [
        'Trigger scripted failed for flight@7: no, attempt 2 of 3 follows',
        'Trigger scripted failed for flight@7: no, attempt 3 of 3 follows',
        'Trigger scripted failed for flight@7: no; the trigger behind it is skipped: scripted',
      ],
    )
  })

  it('does not try again what is final', async () => {
    const trigger = scripted(['final'])
    assert.deepEqual(await run([trigger]), { kind: 'failed' })
    assert.equal(trigger.runs, 1)
  })

  it('counts a failure as done with on_failure: continue, skipping the remaining triggers', async () => {
    const [first, second] = [scripted(['final'], { onFailure: 'continue' }), scripted(['ok'])]
    const output = recordedOutput()
    const third = { ...scripted(['ok']), type: 'third' }
    assert.deepEqual(await run([first, second, third], { output }), { kind: 'done' })
    assert.deepEqual([second.runs, third.runs], [0, 0])
    assert.equal(
      output.logged[0]?.message,
      'Trigger scripted failed for flight@7: no; the 2 triggers behind it are skipped: scripted, third',
    )
  })

  it('gives a notification up that a trigger can never handle, after its retries, and skips the remaining triggers', async () => {
    const [first, second] = [scripted(['poison'], { retries: 2 }), scripted(['ok'])]
    assert.deepEqual(await run([first, second]), { kind: 'poisoned', trigger: 'scripted', reason: 'no' })
    assert.deepEqual([first.runs, second.runs], [3, 0])
  })

  it('stops at such a notification with on_poison: stop, whatever on_failure says', async () => {
    const trigger = scripted(['poison'], { retries: 0, onFailure: 'continue', onPoison: 'stop' })
    assert.deepEqual(await run([trigger]), { kind: 'failed' })
  })

  it('does not try again once it is told to stop', async () => {
    const stop = new AbortController()
    const trigger = scripted(['transient'])
    const output = { ...recordedOutput(), log: () => stop.abort() }
    assert.deepEqual(await run([trigger], { stop: stop.signal, output }), { kind: 'stopped' })
    assert.equal(trigger.runs, 1)
  })
})
