import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import { keepDeadLetter } from '../../../../scripts/aviso/dead_letters.ts'
import { notification } from './fixture.ts'

const AT = Date.UTC(2026, 7, 10, 12)
const LETTER = { trigger: 'command', reason: 'no\nway', at: AT }

async function fileIn(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'x.dead.ndjson')
}

const linesOf = async (path: string): Promise<Record<string, unknown>[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('keepDeadLetter()', () => {
  it('appends one line of JSON with the whole notification, for the user alone', async (context) => {
    const path = await fileIn(context)
    const payload = { text: 'a\0\n', size: 12345678901234567890n }
    await keepDeadLetter(path, { ...LETTER, notification: notification({ payload }) })
    await keepDeadLetter(path, { ...LETTER, notification: notification({ id: 'flight@8' }) })
    const [first, second] = await linesOf(path)
    assert.deepEqual(
      { ...first, payload: undefined },
      {
        time: '2026-08-10T12:00:00.000Z',
        id: 'flight@7',
        source: 'http://aviso',
        trigger: 'command',
        reason: 'no\nway',
        event: 'flight',
        request: notification().request,
        payload: undefined,
      },
    )
    assert.match(await readFile(path, 'utf8'), /"size":12345678901234567890\}/)
    assert.equal(second?.['id'], 'flight@8')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('keeps one older file, and says when that one is lost', async (context) => {
    const path = await fileIn(context)
    const keep = async (id: string): Promise<boolean> =>
      (await keepDeadLetter(path, { ...LETTER, notification: notification({ id }) }, 400)).hasDropped
    assert.deepEqual([await keep('a@1'), await keep('a@2'), await keep('a@3')], [false, false, true])
    assert.deepEqual(
      [(await linesOf(path))[0]?.['id'], (await linesOf(`${path}.1`))[0]?.['id']],
      ['a@3', 'a@2'],
    )
  })

  it('keeps a notification that is larger than the bound, alone', async (context) => {
    const path = await fileIn(context)
    await keepDeadLetter(path, { ...LETTER, notification: notification({ payload: 'x'.repeat(1000) }) }, 400)
    assert.equal((await linesOf(path)).length, 1)
  })

  it('ends the listener where it cannot write, so that the position does not move on', async () => {
    await assert.rejects(
      keepDeadLetter('/no/such/folder/x', { ...LETTER, notification: notification() }),
      (error) => error instanceof ClientError && error.exitCode === 1 && /flight@7/.test(error.message),
    )
  })
})
