import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger, type Logger } from '#shared/logger.ts'
import { createEndpoints, type Endpoint, type Endpoints } from '#shared/store/etcd/endpoints.ts'
import { createManualClock, type ManualClock } from '../../../../support/clock.ts'

const LONG_MS = 15_000

function three(
  clock: ManualClock,
  logger: Logger = silentLogger,
): {
  endpoints: Endpoints
  members: readonly [Endpoint, Endpoint, Endpoint]
} {
  const urls = ['http://a', 'http://b', 'http://c']
  const endpoints = createEndpoints({ urls, clock, random: () => '0'.repeat(32), logger })
  const first = endpoints.pick()
  const [second, third] = endpoints.others(first)
  assert.ok(second !== undefined && third !== undefined)
  return { endpoints, members: [first, second, third] }
}

describe('createEndpoints(): checkCluster', () => {
  it('logs once that a member names another cluster, and not with every call', () => {
    const lines: string[] = []
    const { endpoints, members } = three(createManualClock(), (_level, message) => lines.push(message))
    const [first, second] = members
    for (const member of members) endpoints.checkCluster(member, 'old')
    const refuse = (member: Endpoint, id: string): void =>
      assert.throws(() => endpoints.checkCluster(member, id), { code: 'ERR_STORE_PROTOCOL' })
    for (let call = 0; call < 3; call++) refuse(first, 'new')
    assert.equal(lines.length, 1)
    refuse(second, 'new')
    refuse(first, 'other')
    assert.equal(lines.length, 3)
  })

  it('takes another cluster for ours once most members have named it for 15 s', async () => {
    const clock = createManualClock()
    const { endpoints, members } = three(clock)
    const [first, second, third] = members
    for (const member of members) endpoints.checkCluster(member, 'old')
    // One of them does not come back.
    endpoints.failed(third, false)
    const refused = (member: Endpoint): void => {
      assert.throws(() => endpoints.checkCluster(member, 'new'), { code: 'ERR_STORE_PROTOCOL' })
    }
    await clock.advance(LONG_MS)
    refused(first)
    refused(second)
    await clock.advance(LONG_MS - 1)
    refused(first)
    await clock.advance(1)
    endpoints.checkCluster(second, 'new')
    endpoints.checkCluster(first, 'new')
    assert.throws(() => endpoints.checkCluster(third, 'old'), { code: 'ERR_STORE_PROTOCOL' })
  })

  it('keeps ours while one member names it, or most members are silent', async () => {
    const clock = createManualClock()
    const { endpoints, members } = three(clock)
    const [first, second, third] = members
    for (const member of members) endpoints.checkCluster(member, 'old')
    for (const member of [first, second])
      assert.throws(() => endpoints.checkCluster(member, 'new'), { code: 'ERR_STORE_PROTOCOL' })
    endpoints.checkCluster(third, 'old')
    await clock.advance(2 * LONG_MS)
    assert.throws(() => endpoints.checkCluster(first, 'new'), { code: 'ERR_STORE_PROTOCOL' })
    for (const member of [second, third]) endpoints.failed(member, false)
    await clock.advance(2 * LONG_MS)
    assert.throws(() => endpoints.checkCluster(first, 'new'), { code: 'ERR_STORE_PROTOCOL' })
  })
})
