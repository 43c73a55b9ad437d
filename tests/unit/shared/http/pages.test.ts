import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Answer } from '#shared/handler.ts'
import { createPageOrigins, forPages } from '#shared/http/pages.ts'
import { addVary } from '#shared/http/vary.ts'

const PAGE = 'https://pages.example.org'
const OTHER = 'https://evil.example'

/** Asks a handler with the given answer. */
async function ask({
  allowed = [PAGE],
  answer = {},
  ...request
}: { allowed?: string[]; answer?: Partial<Answer> } & RequestInit): Promise<Answer> {
  const whole = { status: 200, headers: {}, body: null, ...answer }
  const handler = forPages(() => Promise.resolve(whole), createPageOrigins(allowed))
  return handler(new Request('http://aviso.test/api/v1/watch', request))
}

const preflight = (origin: string): RequestInit => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization',
  },
})

describe('forPages()', () => {
  it('lets pages of an allowed origin read every answer, refusals included', async () => {
    for (const status of [200, 204, 400, 401, 403, 404, 406, 429, 503]) {
      const { headers } = await ask({ answer: { status }, headers: { origin: PAGE } })
      assert.equal(headers['access-control-allow-origin'], PAGE, String(status))
      assert.match(headers['access-control-expose-headers'] ?? '', /X-Request-ID.*Retry-After.*RateLimit/)
      assert.equal(headers['vary'], 'Origin')
    }
  })

  it('lets no other page read, whatever the handler says', async () => {
    const answer = { headers: { 'access-control-allow-origin': '*', vary: 'Accept' } }
    for (const origin of [OTHER, 'null', `${PAGE}:8443`, PAGE.toUpperCase(), 'http://pages.example.org']) {
      const { headers } = await ask({ answer, headers: { origin } })
      assert.equal(headers['access-control-allow-origin'], undefined, origin)
      assert.equal(headers['vary'], 'Accept, Origin', 'a cache must not give it to an allowed page')
    }
  })

  it('says that answers vary, to programs too', async () => {
    assert.deepEqual((await ask({})).headers, { vary: 'Origin' })
  })

  it('lets every page read where any is allowed, without a Vary', async () => {
    const { headers } = await ask({ allowed: ['*'], headers: { origin: OTHER } })
    assert.equal(headers['access-control-allow-origin'], '*')
    assert.equal(headers['vary'], undefined)
  })

  it('never allows credentials of the browser', async () => {
    for (const allowed of [[PAGE], ['*']]) {
      const answers = [
        await ask({ allowed, headers: { origin: PAGE } }),
        await ask({ allowed, ...preflight(PAGE) }),
      ]
      for (const { headers } of answers) assert.equal('access-control-allow-credentials' in headers, false)
    }
  })

  it('answers a preflight 204 with what the path takes, even where the request itself will be refused', async () => {
    for (const [status, allow] of [
      [204, 'GET, HEAD, OPTIONS'],
      [404, undefined],
      [503, undefined],
    ] as const) {
      const answer = { status, headers: allow === undefined ? {} : { allow }, body: null }
      const answered = await ask({ answer, ...preflight(PAGE) })
      assert.equal(answered.status, 204)
      assert.equal(answered.headers['access-control-allow-origin'], PAGE)
      assert.match(answered.headers['access-control-allow-methods'] ?? '', /^GET, HEAD,.*OPTIONS$/)
      const taken = (answered.headers['access-control-allow-headers'] ?? '').toLowerCase().split(', ')
      for (const name of ['authorization', 'last-event-id', 'content-type', 'x-auth-type'])
        assert.ok(taken.includes(name), name)
    }
  })

  it('answers the preflight of any other page as OPTIONS', async () => {
    const answered = await ask({ answer: { status: 204, headers: { allow: 'GET' } }, ...preflight(OTHER) })
    assert.deepEqual(answered.headers, { allow: 'GET', vary: 'Origin' })
  })
})

describe('createPageOrigins()', () => {
  it('lets only pages that are named do more than read', () => {
    const origins = createPageOrigins(['*', PAGE])
    assert.deepEqual(
      [origins.mayRead(OTHER), origins.isNamed(OTHER), origins.isNamed(PAGE)],
      [true, false, true],
    )
  })
})

describe('addVary()', () => {
  it('names each field once, in any case', () => {
    assert.deepEqual(addVary({ vary: 'accept' }, 'Accept', 'Origin'), { vary: 'accept, Origin' })
    assert.deepEqual(addVary({ a: '1' }, 'Origin'), { a: '1', vary: 'Origin' })
  })
})
