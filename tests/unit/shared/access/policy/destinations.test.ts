import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'

import { createSecret, createSecretReader } from '#shared/secret.ts'
import { createEcpds, type DestinationSource } from '#shared/access/policy/destinations.ts'
import {
  active,
  ECPDS_ACCOUNT,
  ECPDS_PASSWORD,
  ECPDS_PATH,
  MISBEHAVIOURS,
  startEcpds,
  type EcpdsStandIn,
} from '../../../../support/auth_servers.ts'
import { CANARY } from '../../../../support/tokens.ts'
import { realParts, whileMisbehaving } from '../identity/support.ts'

const LIMIT_MS = 300

describe('createEcpds()', () => {
  let server: EcpdsStandIn
  let parts: ReturnType<typeof realParts>
  let source: DestinationSource

  beforeEach(async () => {
    server = await startEcpds({ joe: active('SCL', 'FOO'), 'u+s er&name': active('BAR'), none: [] })
    source = create()
  })
  afterEach(() => server.close())

  function create(password = createSecret(ECPDS_PASSWORD)): DestinationSource {
    parts = realParts()
    return createEcpds({
      ...parts,
      urls: [`${server.url}${ECPDS_PATH}`],
      username: ECPDS_ACCOUNT,
      password,
      limits: { timeoutMs: LIMIT_MS },
    })
  }

  const namesOf = async (user: string): Promise<readonly string[]> => (await source.of(user)).names
  const unavailable = { code: 'ERR_VERDICT_UNAVAILABLE', status: 503 }

  it('lists the active destinations of a user, asked for with the service’s own account', async () => {
    assert.deepEqual(await namesOf('joe'), ['SCL', 'FOO'])
    assert.deepEqual(await namesOf('u+s er&name'), ['BAR'])
    assert.deepEqual(await namesOf('none'), [])
    assert.deepEqual(
      server.seen.map(({ target }) => target),
      ['joe', 'u%2Bs%20er%26name', 'none'].map((id) => `${ECPDS_PATH}?id=${id}`),
    )
  })

  it('asks once for many, and remembers for half a minute what it was told', async () => {
    const lists = await Promise.all(Array.from({ length: 10 }, () => Promise.resolve(source.of('joe'))))
    await source.of('joe')
    assert.equal(server.seen.length, 1)
    assert.ok(lists.every((list) => list === lists[0]))
    assert.ok(!(source.of('joe') instanceof Promise))
  })

  it('counts nothing that is not said to be active, and no name that could be a wider grant', async () => {
    const hostile = ['', '/', '.', '..', 'FOO/', 'FO*', 'A/B', 'A\u0000B', ' ', 7, null, undefined]
    server.users.set('joe', [
      { name: 'GOOD', active: true },
      { name: 'OFF', active: false },
      { name: 'UNSAID' },
      { name: 'TEXT', active: 'true' },
      { name: 'ONE', active: 1 },
      { active: true },
      ...hostile.map((name) => ({ name, active: true })),
    ])
    assert.deepEqual(await namesOf('joe'), ['GOOD'])
    assert.equal(parts.counters.values().destinations_rejected, hostile.length + 1)
  })

  it('knows that an unknown user has none', async () => {
    assert.deepEqual(await namesOf('nosuch'), [])
    await source.of('nosuch')
    assert.equal(server.seen.length, 1)
  })

  it('has no list from an answer that is not what was agreed', async () => {
    const answers = [
      '{"success":"no"}',
      '{"success":"no","error":"User ann not found"}',
      '{"success":"no","error":"database down"}',
      '{"success":"no","error":7}',
      '{"success":true,"destinationList":[]}',
      '{"destinationList":[{"name":"SCL","active":true}]}',
      '{"success":"yes","destinationList":{"name":"SCL"}}',
      '{"success":"yes","destinationList":"SCL"}',
      '{"success":"yes","destinationList":["SCL"]}',
      '{"success":"yes","destinationList":[{"name":"SCL","active":true,"active":true}]}',
      '{"success":"yes","__proto__":{}}',
      'null',
      `{"success":"yes","destinationList":[${Array.from({ length: 10_001 }, () => '{}').join()}]}`,
    ]
    for (const answer of answers) {
      server.raw = answer
      await assert.rejects(Promise.resolve(source.of('joe')), unavailable, answer.slice(0, 80))
    }
    server.raw = '{"success":"yes"}'
    assert.deepEqual(await namesOf('joe'), [])
  })

  it('takes ten thousand destinations', async () => {
    server.users.set('joe', active(...Array.from({ length: 10_000 }, (_, index) => `D${index}`)))
    assert.equal((await namesOf('joe')).length, 10_000)
  })

  it('sends the password as it is now, so that it can be replaced', async () => {
    const environment = { PASSWORD: `${CANARY}-wrong-password` }
    source = create(createSecretReader(environment)('PASSWORD'))
    await assert.rejects(Promise.resolve(source.of('joe')), unavailable)
    environment.PASSWORD = ECPDS_PASSWORD
    assert.deepEqual(await namesOf('joe'), ['SCL', 'FOO'])
  })

  it('does not blame the user for the account of the service', async () => {
    source = create(createSecret(`${CANARY}-wrong-password`))
    await assert.rejects(Promise.resolve(source.of('joe')), unavailable)
  })

  it('has no list from a server that misbehaves in any way, within its time, and remembers none', async () => {
    for (const how of MISBEHAVIOURS) {
      await whileMisbehaving(server, { how, clock: parts.clock, limitMs: LIMIT_MS }, () =>
        assert.rejects(Promise.resolve(source.of('joe')), unavailable, how),
      )
    }
    assert.deepEqual(await namesOf('joe'), ['SCL', 'FOO'])
    assert.doesNotMatch(parts.lines.join(), new RegExp(`${CANARY}|127\\.0\\.0\\.1|joe`))
  })

  it('asks all servers, and joins their lists; of several that fail, the policy of outages decides', async () => {
    const second = await startEcpds({ joe: active('SCL', 'BAR') })
    try {
      const urls = [server, second].map(({ url }) => `${url}${ECPDS_PATH}`)
      const account = { username: ECPDS_ACCOUNT, password: createSecret(ECPDS_PASSWORD), urls }
      const limits = { timeoutMs: LIMIT_MS }
      const open = (isStrict: boolean): DestinationSource => {
        parts = realParts()
        return createEcpds({ ...parts, ...account, isStrict, limits })
      }
      source = open(true)
      assert.deepEqual((await namesOf('joe')).toSorted(), ['BAR', 'FOO', 'SCL'])
      assert.deepEqual([server.seen.length, second.seen.length], [1, 1])
      second.raw = '{"success":"no"}'
      source = open(true)
      await assert.rejects(Promise.resolve(source.of('joe')), unavailable)
      assert.equal(parts.counters.values().ecpds_fetch_invalid_response, 1)
      source = open(false)
      assert.deepEqual(await namesOf('joe'), ['SCL', 'FOO'])
      await namesOf('joe')
      const {
        ecpds_fetch_success: success,
        ecpds_cache_hits: hits,
        ecpds_cache_misses: misses,
      } = parts.counters.values()
      assert.deepEqual([success, hits, misses], [1, 1, 1])
      server.raw = 'null'
      source = open(false)
      await assert.rejects(Promise.resolve(source.of('joe')), unavailable)
    } finally {
      await second.close()
    }
  })

  it('takes the names of destinations from the member that is configured', async () => {
    server.raw = '{"success":"yes","destinationList":[{"id":"X","name":"Y","active":true}]}'
    parts = realParts()
    const urls = [`${server.url}${ECPDS_PATH}`]
    source = createEcpds({
      ...parts,
      urls,
      targetField: 'id',
      username: ECPDS_ACCOUNT,
      password: createSecret(ECPDS_PASSWORD),
    })
    assert.deepEqual(await namesOf('joe'), ['X'])
  })
})
