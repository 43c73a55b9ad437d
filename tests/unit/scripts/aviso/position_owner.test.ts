import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { openPosition } from '../../../../scripts/aviso/position.ts'
import {
  takeOwnership,
  thisOwner,
  type Owner,
  type Ownership,
} from '../../../../scripts/aviso/position_owner.ts'
import { createManualClock, createSkippingClock, type ManualClock } from '../../../support/clock.ts'
import { eventually } from '../../../support/waiting.ts'

const A: Owner = { host: 'a', boot: 'first', pid: 1 }
const B: Owner = { host: 'b', boot: 'first', pid: 2 }

/** A folder that two hosts share, and the way in which they take a position. */
async function sharedFolder(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'x.owner')
  const held: Ownership[] = []
  context.after(() => held.forEach((each) => each.release()))
  return {
    folder,
    path,
    take: async (owner: Owner, clock: ManualClock, waits: string[] = []): Promise<Ownership> => {
      const onWait = (message: string): void => void waits.push(message)
      const taken = await takeOwnership(path, { owner, clock, onWait, what: 'This listener', isLocked: true })
      held.push(taken)
      return taken
    },
  }
}

/** Moves a clock on until `work` has ended. */
async function whileTimePasses<Value>(clock: ManualClock, work: Promise<Value>): Promise<Value> {
  let hasEnded = false
  const ended = work.finally(() => (hasEnded = true))
  ended.catch(() => undefined)
  await eventually('it ends', async () => {
    await clock.advance(1000)
    return hasEnded
  })
  return ended
}

describe('takeOwnership()', () => {
  it('refuses the second of two hosts, and names the first', async (context) => {
    const { folder, take } = await sharedFolder(context)
    const clock = createManualClock()
    const first = await take(A, clock)
    const waits: string[] = []
    await assert.rejects(whileTimePasses(clock, take(B, clock, waits)), (error) => {
      assert.ok(error instanceof ClientError)
      assert.match(
        error.message,
        /This listener is already running, on host a \(process 1, last seen 2026-.*\), with the same state folder: /,
      )
      return true
    })
    assert.match(waits.join(), /is used by host a .*Waiting up to 30 s/)
    await first.check()
    first.release()
    // And nothing is left.
    await eventually('all files are gone', async () => (await readdir(folder)).length === 0)
  })

  it('takes over from a host that is silent, which is then told', async (context) => {
    const { take } = await sharedFolder(context)
    const [here, there] = [createManualClock(), createManualClock()]
    // Its time stands still, as on a machine that is stopped.
    const first = await take(A, there)
    const second = await whileTimePasses(here, take(B, here))
    await second.check()
    await assert.rejects(
      first.check(),
      /was taken over by host b \(process 2, .*, because this client was silent for 30 s/,
    )
    first.release()
    await second.check()
  })

  it('does not wait for a host that was silent long ago', async (context) => {
    const { path, take } = await sharedFolder(context)
    await take(A, createManualClock())
    const before = new Date(Date.now() - 60_000)
    await utimes(path, before, before)
    const second = await take(B, createManualClock())
    await second.check()
  })

  it('does not wait for a former process of its own host, but for one before the machine was started again', async (context) => {
    const { take } = await sharedFolder(context)
    await take(A, createManualClock())
    const waits: string[] = []
    await take({ ...A, pid: 7 }, createManualClock(), waits)
    assert.deepEqual(waits, [])
    const clock = createManualClock()
    await whileTimePasses(clock, take({ ...A, boot: 'second' }, clock, waits))
    assert.equal(waits.length, 1)
  })

  it('waits for a file that has no content yet', async (context) => {
    const { path, take } = await sharedFolder(context)
    await writeFile(path, '')
    const clock = createManualClock()
    const taking = take(B, clock)
    taking.catch(() => undefined)
    await eventually('it waits', async () => clock.timers > 0)
    await writeFile(path, JSON.stringify({ ...A, token: 't', renewed_at: 'now' }))
    await assert.rejects(whileTimePasses(clock, taking), /already running, on host a/)
  })

  it('takes the position again when somebody has emptied the folder', async (context) => {
    const { path, take } = await sharedFolder(context)
    const first = await take(A, createManualClock())
    await rm(path)
    await first.check()
    assert.match(await readFile(path, 'utf8'), /"host":"a"/)
  })
})

describe('openPosition()', () => {
  it('saves nothing after another host has taken the position', async (context) => {
    const { folder } = await sharedFolder(context)
    const key = { server: 'http://a', event: 'flight', request: {} }
    const position = await openPosition(folder, key, { owner: A })
    context.after(() => position.close())
    await position.save('e.1')
    const [owner = ''] = (await readdir(folder)).filter((name) => name.endsWith('.owner'))
    await writeFile(join(folder, owner), JSON.stringify({ ...B, token: 't', renewed_at: 'now' }))
    await assert.rejects(position.save('e.2'), /This listener \(event flight\) was taken over by host b/)
    assert.match(await readFile(join(folder, owner.replace('.owner', '.json')), 'utf8'), /"cursor": "e\.1"/)
  })

  it('names the process that has it on this host', async (context) => {
    const { folder } = await sharedFolder(context)
    const key = { server: 'http://a', event: 'flight', request: {}, name: 'n' }
    const position = await openPosition(folder, key)
    context.after(() => position.close())
    const { host, pid } = thisOwner()
    await assert.rejects(
      openPosition(folder, key, { clock: createSkippingClock() }),
      (error) =>
        error instanceof ClientError &&
        error.message.includes(`already running with the same request, on host ${host} (process ${pid}`),
    )
  })
})
