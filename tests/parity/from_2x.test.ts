/**
 * What aviso 2.x loses and we do not (`services/auth/FROM_2X.md`), as far as no other test shows it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { access, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { withSystem } from '../service/auth_fixture.ts'
import { flight } from '../support/notifications.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** One more than 2.x's limit, in batches. */
const MANY = 10_001
const BATCH = 1_000

describe('what 2.x loses', () => {
  it('a history of more than 10,000 is replayed whole', () =>
    withSystem(async ({ post }) => {
      for (let done = 0; done < MANY; done += BATCH) {
        const count = Math.min(BATCH, MANY - done)
        const events = Array.from({ length: count }, (_, index) => ({
          event_type: 'flight',
          identifier: flight(`AZ${done + index}`),
        }))
        await Promise.all(
          events.map(async (event) => {
            const response = await post('/api/v1/notification', event)
            assert.equal(response.status, 200)
            await response.body?.cancel()
          }),
        )
      }
      const replay = await post('/api/v1/replay', { event_type: 'flight', identifier: {}, from_id: '0' })
      const text = await replay.text()
      assert.equal(text.match(/^event: replay$/gm)?.length, MANY)
      assert.match(text, /"replay_completed"/)
      assert.doesNotMatch(text, /limit_reached/)
    }))

  it('notifications with the same fields are all kept', () =>
    withSystem(async ({ publish, post }) => {
      for (const payload of ['first', 'second', 'third']) await publish('AZ1', payload)
      const replay = await post('/api/v1/replay', { event_type: 'flight', identifier: {}, from_id: '0' })
      assert.deepEqual((await replay.text()).match(/"payload":"\w+"/g), [
        '"payload":"first"',
        '"payload":"second"',
        '"payload":"third"',
      ])
    }))
})

describe('services/auth/FROM_2X.md', () => {
  it('names tests that there are', async () => {
    const page = await readFile(`${ROOT}/services/auth/FROM_2X.md`, 'utf8')
    const named = [...page.matchAll(/`(tests\/[\w/]+\.test\.ts)`(?:: ([^|]+?) \|)?/g)]
    assert.ok(named.length > 8)
    for (const [, file = '', title] of named) {
      await access(`${ROOT}/${file}`)
      const text = await readFile(`${ROOT}/${file}`, 'utf8')
      for (const part of title?.split(' ').filter((word) => /^[A-Z]\d+$/.test(word)) ?? [])
        assert.ok(text.includes(part), `${file}: ${part}`)
    }
  })
})
