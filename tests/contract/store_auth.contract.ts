/**
 * Store contract: an etcd adapter where etcd has users.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { createSecret } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import type { OpenOver } from './store_faults.contract.ts'
import { createKeyspace, put, rejects, startWatch } from './store_support.ts'

const missing = await etcdMissing()

/** Seconds that a token lasts: a simple one after its last use, a signed one after it was given. */
const TTL = 2
/** Several of them. */
const IN_USE_MS = 7_000
/** Until a token that is not used has surely ended. */
const IDLE_MS = 4_500
const AVISO = { name: 'aviso', password: 'right' }
const AUTH = { name: AVISO.name, password: createSecret(AVISO.password) }

/** Registers the suite for an adapter. */
export function authContract(name: string, openStore: OpenOver): void {
  describe(`${name} where etcd has users`, { skip: missing, concurrency: 2 }, () => {
    let folder = ''
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'aviso-auth-'))
    })
    after(() => rm(folder, { recursive: true }))

    const kinds: readonly (readonly [kind: string, flags: () => Promise<readonly string[]>])[] = [
      ['simple', async () => [`--auth-token-ttl=${TTL}`]],
      ['signed', async () => [`--auth-token=${await signedTokens(folder)}`]],
    ]
    for (const [kind, flags] of kinds) {
      it(`logs in, and again when the ${kind} token has ended, in use or idle, and keeps its watch`, async () => {
        const etcd = await startTestEtcd({ flags: await flags() })
        const [url = ''] = etcd.endpoints
        const store = await openStore([url], { auth: AUTH })
        try {
          await addUsers(url)
          const space = createKeyspace('/auth/')
          const revision = await put(store, space.key('a'))
          const watch = await startWatch(store, space, { from: revision })
          assert.deepEqual((await watch.next()).events, ['+a=v'])
          assert.equal((await store.status()).revision, revision)

          let written = 0
          for (const until = performance.now() + IN_USE_MS; performance.now() < until; written++)
            await put(store, space.key('busy'))
          assert.equal((await watch.take(written)).length, written)
          await systemClock.sleep(IDLE_MS)
          await Promise.all(Array.from({ length: 8 }, (_, index) => put(store, space.key(`${index}`))))
          assert.equal((await watch.take(8)).length, 8)
          await watch.stop()
        } finally {
          await store.close()
          await etcd.close()
        }
      })
    }

    it('is refused outside its role, with a wrong password, and without a user', async () => {
      const etcd = await startTestEtcd()
      const [url = ''] = etcd.endpoints
      try {
        await addUsers(url)
        const space = createKeyspace('/auth/')
        const store = await openStore([url], { auth: AUTH })
        await put(store, space.key('a'))
        await rejects(put(store, toBytes('elsewhere')), 'ERR_STORE_UNAVAILABLE')
        const elsewhere = { ...space, all: { key: toBytes('0'), end: toBytes('1') } }
        await rejects(startWatch(store, elsewhere), 'ERR_STORE_UNAVAILABLE')
        await store.close()
        for (const more of [{}, { auth: { ...AUTH, password: createSecret('wrong') } }]) {
          const refused = await openStore([url], more)
          await rejects(refused.range(space.all), 'ERR_STORE_UNAVAILABLE')
          await refused.close()
        }
      } finally {
        await etcd.close()
      }
    })
  })
}

/** Keys for signed tokens. @returns What `--auth-token` takes. */
async function signedTokens(folder: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const [privateFile, publicFile] = [join(folder, 'token.key'), join(folder, 'token.pub')]
  await Promise.all([writeFile(privateFile, privateKey), writeFile(publicFile, publicKey)])
  return `jwt,priv-key=${privateFile},pub-key=${publicFile},sign-method=RS256,ttl=${TTL}s`
}

/** Makes etcd have users: root, and ours, which may do everything under `/`. */
async function addUsers(url: string): Promise<void> {
  const ask = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`${url}/v3/auth/${path}`, { method: 'POST', body: JSON.stringify(body) })
    assert.equal(response.status, 200, path)
    await response.body?.cancel()
  }
  await ask('user/add', { name: 'root', password: 'r' })
  await ask('role/add', { name: 'root' })
  await ask('user/grant', { user: 'root', role: 'root' })
  await ask('user/add', AVISO)
  await ask('role/add', { name: 'aviso' })
  const perm = { permType: 'READWRITE', key: btoa('/'), range_end: btoa('0') }
  await ask('role/grant', { name: 'aviso', perm })
  await ask('user/grant', { user: 'aviso', role: 'aviso' })
  await ask('enable', {})
}
