/**
 * What operators see of the audit log without its file: who did what lately, and what was refused.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { JOE_TOKEN, OPERATOR_TOKEN } from '../support/auth_servers_system.ts'
import { CANARY } from '../support/tokens.ts'
import { dissemination } from '../support/notifications.ts'
import { readFrames, withSystem } from './auth_fixture.ts'
import { bearer, startIdentitySystem, type IdentitySystem } from './identity_fixture.ts'

interface Page {
  readonly instance: string
  readonly has_published: boolean
  readonly records: readonly {
    readonly number: number
    readonly action: string
    readonly user?: string
    readonly event?: string
    readonly reason?: string
  }[]
  readonly cursor: string | null
}

const AUDIT = '/api/v1/admin/audit'
const SECRET_PAYLOAD = 'what the payload says'

describe('GET /api/v1/admin/audit', () => {
  let test: IdentitySystem
  before(async () => {
    test = await startIdentitySystem()
    const body = {
      event_type: 'dissemination',
      identifier: dissemination('FOO', 1),
      payload: SECRET_PAYLOAD,
    }
    await test.post('/api/v1/notification', body, bearer(OPERATOR_TOKEN))
    await test.post('/api/v1/notification', body, bearer(JOE_TOKEN))
    await test.call('/api/v1/notifications?event=dissemination&destination=BAR', {
      headers: bearer(JOE_TOKEN),
    })
    await test.call(AUDIT, { headers: bearer(`${CANARY}-of-nobody`) })
    await test.post('/api/v1/admin/compact', { dry_run: true }, bearer(OPERATOR_TOKEN))
  })
  after(() => test.close())

  async function read(query = ''): Promise<{ page: Page; text: string }> {
    const response = await test.call(AUDIT + query, { headers: bearer(OPERATOR_TOKEN) })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return { page: JSON.parse(text) as Page, text }
  }

  const shown = ({ records }: Page): readonly string[] =>
    records.map(({ action, user, reason }) => [action, user, reason].filter(Boolean).join(' '))

  it('has who did what and what was refused, the newest first, as the log has it', async () => {
    const { page } = await read()
    assert.deepEqual(shown(page), [
      'administered operator POST /api/v1/admin/compact',
      'refused ERR_UNAUTHENTICATED',
      'refused joe ERR_FORBIDDEN',
      'refused joe ERR_FORBIDDEN',
      'published operator',
    ])
    assert.equal(page.has_published, true)
    const lines = await test.audited()
    assert.deepEqual(
      page.records.map(({ number: _number, ...record }) => record),
      lines.toReversed(),
    )
  })

  it('has no token and no payload', async () => {
    const { text } = await read()
    assert.ok(!text.includes(CANARY) && !text.includes(SECRET_PAYLOAD))
  })

  it('selects by action, outcome, user and event type', async () => {
    const of = async (query: string): Promise<readonly string[]> => shown((await read(query)).page)
    assert.deepEqual(await of('?outcome=refused&who=joe&limit=1'), ['refused joe ERR_FORBIDDEN'])
    assert.deepEqual(await of('?outcome=allowed&event=dissemination'), ['published operator'])
    assert.deepEqual(await of('?who=anonymous'), ['refused ERR_UNAUTHENTICATED'])
    assert.deepEqual(await of('?action=administered'), ['administered operator POST /api/v1/admin/compact'])
  })

  it('gives pages', async () => {
    const first = (await read('?limit=3')).page
    const rest = (await read(`?limit=3&cursor=${first.cursor}`)).page
    assert.deepEqual([first.records.length, rest.records.length, rest.cursor], [3, 2, null])
    const numbers = [...first.records, ...rest.records].map(({ number }) => number)
    assert.deepEqual(numbers, [5, 4, 3, 2, 1])
  })

  it('says which process answers, as the list of streams does', async () => {
    const { page } = await read()
    const streams = await test.call('/api/v1/admin/streams', { headers: bearer(OPERATOR_TOKEN) })
    assert.equal(((await streams.json()) as Page).instance, page.instance)
  })

  it('is for operators alone, and not for pages of other sites', async () => {
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await test.call(AUDIT, { headers })).status
    assert.equal(await status({}), 401)
    assert.equal(await status(bearer(JOE_TOKEN)), 403)
    assert.equal(await status({ ...bearer(OPERATOR_TOKEN), 'sec-fetch-site': 'cross-site' }), 403)
  })

  for (const query of [
    '?limit=0',
    '?cursor=x',
    '?action=up',
    '?outcome=done',
    '?colour=red',
    '?who=a&who=b',
  ]) {
    it(`refuses ${query}`, async () => {
      const response = await test.call(AUDIT + query, { headers: bearer(OPERATOR_TOKEN) })
      const { field } = (await response.json()) as { readonly field: string }
      assert.deepEqual([response.status, query.includes(`?${field}=`)], [400, true])
    })
  }
})

describe('GET /api/v1/admin/audit without an audit log', () => {
  it('has streams and what was refused, and says that what was published is not recorded', () =>
    withSystem(async (system) => {
      await system.publish('AZ1')
      await system.post('/api/v1/notification', { event_type: 'flight', identifier: {}, payload: 1 })
      const frames = readFrames(await system.call('/api/v1/watch?event=flight'))
      await frames.next()
      const page = (await (await system.call(AUDIT)).json()) as Page
      await frames.close()
      assert.deepEqual(
        page.records.map(({ action, event }) => `${action} ${event}`),
        ['opened flight', 'refused flight'],
      )
      assert.equal(page.has_published, false)
    }))
})
