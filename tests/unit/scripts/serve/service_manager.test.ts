import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Logger } from '#shared/logger.ts'
import { openServiceManager, systemdNotify } from '../../../../scripts/serve/service_manager.ts'
import { createManualClock, settle } from '../../../support/clock.ts'

function open(environment: Record<string, string>, fails = false) {
  const sent: string[] = []
  const logged: string[] = []
  const clock = createManualClock()
  const logger: Logger = (level, message) => logged.push(`${level}: ${message}`)
  const manager = openServiceManager({
    environment,
    send: async (assignments) => {
      sent.push(assignments.join(' '))
      if (fails) throw new Error('no such program')
    },
    clock,
    logger,
  })
  return { manager, sent, logged, clock }
}

describe('openServiceManager()', () => {
  it('tells nothing where nobody asks', async () => {
    for (const environment of [{}, { NOTIFY_SOCKET: '' }, { WATCHDOG_USEC: '1000000' }]) {
      const { manager, sent, clock } = open(environment)
      manager.ready()
      manager.stopping(1000)
      await clock.advance(10_000)
      await manager.close()
      assert.deepEqual([sent, clock.timers], [[], 0])
    }
  })

  it('tells what happens, in order', async () => {
    const { manager, sent } = open({ NOTIFY_SOCKET: '/run/systemd/notify' })
    manager.ready()
    manager.reloading()
    manager.ready()
    manager.stopping(25_000)
    await manager.close()
    assert.deepEqual(sent, [
      'READY=1 STATUS=Listening',
      'RELOADING=1 STATUS=Reading policy and secrets again',
      'READY=1 STATUS=Listening',
      'STOPPING=1 STATUS=Finishing writes and ending streams EXTEND_TIMEOUT_USEC=25000000',
    ])
  })

  it('gives two signs of life in the time of the watchdog, until the end', async () => {
    const { manager, sent, clock } = open({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '60000000' })
    await clock.advance(29_000)
    assert.deepEqual(sent, [])
    await clock.advance(61_000)
    assert.deepEqual(sent, ['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1'])
    await manager.close()
    assert.equal(clock.timers, 0)
  })

  it('has no watchdog where its time is no time', async () => {
    for (const WATCHDOG_USEC of ['', '0', 'x', '-5']) {
      const { clock } = open({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC })
      assert.equal(clock.timers, 0, WATCHDOG_USEC)
    }
  })

  it('logs once that nothing can be sent, and goes on', async () => {
    const { manager, sent, logged } = open({ NOTIFY_SOCKET: '@x' }, true)
    manager.ready()
    manager.reloading()
    await manager.close()
    await settle()
    assert.equal(sent.length, 2)
    assert.deepEqual(logged, [
      'error: The service manager could not be told: it may take the services for failed',
    ])
  })
})

describe('systemdNotify()', () => {
  it('rejects where nobody listens', async () => {
    await assert.rejects(systemdNotify(['READY=1']), /^Error: systemd-notify (failed|is not installed)$/)
  })
})
