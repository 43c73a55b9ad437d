/**
 * A server that identity depends on, with a certificate that nobody vouches for: no verdict, and no credential is sent.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { ask } from '#shared/access/identity/dependency.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createAuthority, opensslMissing } from '../support/certificates.ts'
import { CANARY } from '../support/tokens.ts'
import { realParts } from '../unit/shared/access/identity/support.ts'

describe(
  'a server behind identity with a certificate that nobody vouches for',
  { skip: await opensslMissing() },
  () => {
    it('gives no verdict, and is sent no credential', async (context) => {
      const folder = await mkdtemp(join(tmpdir(), 'aviso-dependency-'))
      context.after(() => rm(folder, { recursive: true }))
      const { certificate, key } = await (await createAuthority(folder)).issue('server')
      let requests = 0
      const server = createServer(
        { key: await readFile(key), cert: await readFile(certificate) },
        (_, response) => {
          requests++
          response.end('{}')
        },
      )
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
      context.after(() => server.close())
      const parts = { ...realParts(), clock: systemClock }
      const { port } = server.address() as AddressInfo
      const question = {
        name: 'auth-o-tron',
        url: `https://localhost:${port}/authenticate`,
        headers: { authorization: `Bearer ${CANARY}` },
        timeoutMs: 2000,
        limitBytes: 1000,
      }
      await assert.rejects(ask(parts, question), { code: 'ERR_VERDICT_UNAVAILABLE', status: 503 })
      assert.equal(requests, 0)
      assert.deepEqual(
        parts.lines.filter((line) => line.includes(CANARY)),
        [],
      )
    })
  },
)
