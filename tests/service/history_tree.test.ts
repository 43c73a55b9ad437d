import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { systemClock } from '#shared/time/clock.ts'
import { createMemoryStore } from '../support/memory_store.ts'
import { startLevel, storeOn, TOKENS, type Level } from './tree_fixture.ts'

describe('history on a relay', { timeout: 60_000 }, () => {
  it('is that of the store at the top, as far as the relay may see it', async () => {
    const top = await startLevel({
      store: createMemoryStore({ clock: systemClock }),
      services: ['rest', 'auth'],
    })
    const levels = [top]
    const startOn = async (token: string): Promise<Level> => {
      const level = await startLevel({ store: await storeOn(top.url, token) })
      levels.unshift(level)
      await level.system.ready
      return level
    }
    try {
      await top.system.ready
      await top.publish('FOO', 1)
      await top.publishTogether(['BAR', 2], ['FOO', 3])
      await top.publish('BAR', 4)
      const whole = await startOn(TOKENS.RELAY)
      const part = await startOn(TOKENS.RELAY_FOO)
      const page = async (level: Level, query: string): Promise<string> => {
        const path = `/api/v1/notifications?event=dissemination${query}`
        return (await level.ask(path, {}, 'LISTENER')).text()
      }
      const ids = (text: string): string[] => text.match(/dissemination@\d+/g) ?? []
      for (const order of ['newest', 'oldest']) {
        const query = `&destination=FOO&destination=BAR&order=${order}`
        const expected = await page(top, query)
        assert.equal(ids(expected).length, 4)
        assert.equal(await page(whole, query), expected)
        const own = await page(part, query)
        const named = order === 'newest' ? ['3', '1'] : ['1', '3']
        assert.deepEqual(
          ids(own),
          named.map((number) => `dissemination@${number}`),
        )
        assert.doesNotMatch(own, /BAR/)
      }
      const one = await part.ask('/api/v1/notifications/dissemination@2', {}, 'LISTENER')
      assert.equal(one.status, 404)
      const body = JSON.stringify({
        event_type: 'dissemination',
        identifier: { destination: ['FOO', 'BAR'] },
      })
      const explained = await part.ask('/api/v1/explain', { method: 'POST', body }, 'LISTENER')
      assert.match(await explained.text(), /"matched":2,/)
    } finally {
      for (const level of levels) await level.close()
    }
  })
})
