import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { onStopRequest, stopRequest } from '../../../scripts/stop_requests.ts'

type Press = readonly [at: number, signal: NodeJS.Signals]

/** Which of the signals count. */
function requests(env: Record<string, string>, presses: readonly Press[]): readonly Press[] {
  const emitter = new EventEmitter()
  const source = {
    env,
    on: (signal: string, listener: (name: NodeJS.Signals) => void) => emitter.on(signal, listener),
  }
  const counted: Press[] = []
  let now = 0
  onStopRequest((signal) => counted.push([now, signal]), {
    source,
    signals: ['SIGINT', 'SIGTERM'],
    now: () => now,
  })
  for (const [at, signal] of presses) {
    now = at
    emitter.emit(signal, signal)
  }
  return counted
}

describe('onStopRequest()', () => {
  it('counts a signal once that npm hands on after the terminal has sent it', () => {
    const presses: readonly Press[] = [
      [1000, 'SIGINT'],
      [1004, 'SIGINT'],
      [3000, 'SIGINT'],
      [3100, 'SIGINT'],
    ]
    for (const environment of [{ npm_lifecycle_event: 'etcd' }, { _AVISO_HANDS_ON_SIGNALS: '1' }])
      assert.deepEqual(requests(environment, presses), [presses[0], presses[2]])
  })

  it('counts every signal where npm does not run the program', () => {
    const presses: readonly Press[] = [
      [1000, 'SIGINT'],
      [1004, 'SIGINT'],
    ]
    assert.deepEqual(requests({}, presses), presses)
  })

  it('counts another signal at once', () => {
    const presses: readonly Press[] = [
      [1000, 'SIGINT'],
      [1001, 'SIGTERM'],
    ]
    assert.deepEqual(requests({ npm_lifecycle_event: 'start' }, presses), presses)
  })
})

describe('stopRequest()', () => {
  it('takes the end of npm for a request, because npm does not hand on SIGHUP', async () => {
    let isThere = true
    let look = (): void => undefined
    let stops = 0
    const request = stopRequest(
      {
        env: { npm_lifecycle_event: 'start' },
        on: () => undefined,
        exit: () => assert.fail('nobody asked twice'),
        ppid: 7,
        kill: (pid) => {
          assert.equal(pid, 7)
          if (!isThere) throw new Error('ESRCH')
        },
      },
      (_ms, task) => {
        look = task
        return () => stops++
      },
    )
    look()
    assert.equal(stops, 0)
    isThere = false
    look()
    assert.equal(await request, 'npm has ended')
    assert.equal(stops, 1)
  })

  it('tells the first signal, and exits with 1 at the second', async () => {
    const emitter = new EventEmitter()
    const codes: number[] = []
    const request = stopRequest({
      env: {},
      on: (signal, listener) => emitter.on(signal, listener),
      exit: (code) => codes.push(code),
      ppid: 1,
      kill: () => assert.fail('npm does not run it'),
    })
    emitter.emit('SIGTERM', 'SIGTERM')
    assert.equal(await request, 'SIGTERM')
    assert.deepEqual(codes, [])
    emitter.emit('SIGINT', 'SIGINT')
    assert.deepEqual(codes, [1])
  })
})
