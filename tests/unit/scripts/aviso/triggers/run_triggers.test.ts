import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runTriggers } from '../../../../../scripts/aviso/triggers/run_triggers.ts'
import { TriggerError, type OnFailure, type Trigger } from '../../../../../scripts/aviso/triggers/trigger.ts'
import { createSkippingClock } from '../../../../support/clock.ts'
import { never, notification, recordedOutput } from '../fixture.ts'

function scripted(
  results: readonly ('ok' | 'transient' | 'final')[],
  { retries = 3, onFailure = 'stop' as OnFailure } = {},
): Trigger & { runs: number } {
  const trigger = {
    type: 'scripted',
    retries,
    onFailure,
    runs: 0,
    run(): Promise<void> {
      const result = results[Math.min(trigger.runs++, results.length - 1)]
      return result === 'ok'
        ? Promise.resolve()
        : Promise.reject(new TriggerError('no', { retryable: result === 'transient' }))
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
    assert.equal(await run(triggers), 'done')
    assert.deepEqual(order, [1, 2, 3])
  })

  it('tries again what may pass, waiting longer each time', async () => {
    const trigger = scripted(['transient', 'transient', 'ok'])
    const clock = createSkippingClock()
    assert.equal(await run([trigger], { clock }), 'done')
    assert.equal(trigger.runs, 3)
    assert.deepEqual(clock.sleeps, [1500, 2500])
  })

  it('gives up after its retries and skips the remaining triggers', async () => {
    const [first, second] = [scripted(['transient'], { retries: 2 }), scripted(['ok'])]
    const output = recordedOutput()
    assert.equal(await run([first, second], { output }), 'failed')
    assert.equal(first.runs, 3)
    assert.equal(second.runs, 0)
    assert.deepEqual(
      output.logged.map(({ message }) => message),
      [
        'Trigger scripted failed for flight@7: no, attempt 2 of 3 follows',
        'Trigger scripted failed for flight@7: no, attempt 3 of 3 follows',
        'Trigger scripted failed for flight@7: no',
      ],
    )
  })

  it('does not try again what is final', async () => {
    const trigger = scripted(['final'])
    assert.equal(await run([trigger]), 'failed')
    assert.equal(trigger.runs, 1)
  })

  it('counts a failure as done with on_failure: continue, skipping the remaining triggers', async () => {
    const [first, second] = [scripted(['final'], { onFailure: 'continue' }), scripted(['ok'])]
    assert.equal(await run([first, second]), 'done')
    assert.equal(second.runs, 0)
  })

  it('does not try again once it is told to stop', async () => {
    const stop = new AbortController()
    const trigger = scripted(['transient'])
    const output = { ...recordedOutput(), log: () => stop.abort() }
    assert.equal(await run([trigger], { stop: stop.signal, output }), 'stopped')
    assert.equal(trigger.runs, 1)
  })
})
