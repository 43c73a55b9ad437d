import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import { openMaintenance } from '#shared/store/open/maintenance.ts'
import { systemClock } from '#shared/time/clock.ts'
import { createSecret } from '#shared/secret.ts'
import { silentLogger } from '#shared/logger.ts'

const platform = await detectPlatform()
const parts = { platform, dataFolder: '', clock: systemClock, logger: silentLogger }
const withToken = { ...parts, bearer: createSecret('token') }

describe('openStore()', () => {
  it('refuses what is no address of a store, and shows no password', async () => {
    for (const address of [
      'etcd:',
      'http://user:secret@a:2379',
      'http://a:2379/path',
      'http://a:1,embedded:',
    ]) {
      await assert.rejects(openStore(address, parts), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ERR_CONFIG')
        assert.doesNotMatch(error.message, /secret/)
        return true
      })
    }
  })

  it('refuses a token where the store cannot be another Aviso', async () => {
    for (const address of ['embedded:', 'embedded:memory', 'grpc://a:2379', 'gateway://a:2379']) {
      await assert.rejects(openStore(address, withToken), { code: 'ERR_CONFIG', message: /storeTokenEnv/ })
    }
  })

  it('opens etcd without asking it, whatever the way', async () => {
    for (const scheme of ['http', 'grpc', 'gateway']) {
      const store = await openStore(`${scheme}://127.0.0.1:1`, parts)
      await store.close()
    }
  })

  it('refuses gRPC where there is no HTTP/2, and takes the gateway for http:', async () => {
    const { connectHttp2, ...rest } = platform
    assert.ok(connectHttp2 !== undefined)
    await assert.rejects(openStore('grpc://127.0.0.1:1', { ...parts, platform: rest }), {
      code: 'ERR_CONFIG',
    })
    const store = await openStore('http://127.0.0.1:1', { ...parts, platform: rest })
    await store.close()
  })

  it('reads another Aviso, and writes nothing to it', async () => {
    const store = await openStore('http://127.0.0.1:1', withToken)
    const readOnly = { code: 'ERR_READ_ONLY' }
    await assert.rejects(store.txn({ compare: [], success: [] }), readOnly)
    await assert.rejects(store.compact(1n), readOnly)
    await assert.rejects(store.grantLease(1), readOnly)
    await assert.rejects(store.range({ key: new Uint8Array([1]) }), { code: 'ERR_STORE_UNAVAILABLE' })
    await store.close()
    assert.equal(await openMaintenance('http://127.0.0.1:1', withToken), undefined)
  })
})
