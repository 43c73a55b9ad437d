import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { toBytes } from '#shared/bytes/bytes.ts'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { Platform } from '#shared/runtime/runtime.ts'
import { openBackup } from '#shared/store/open/backup.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { StoreBackup, StoreSnapshot } from '#shared/store/maintenance.ts'
import type { Store } from '#shared/store/store.ts'
import { createSecret } from '#shared/secret.ts'
import { systemClock } from '#shared/time/clock.ts'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { findEtcdctl } from '../../scripts/etcd/binary.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { runClient, type ClientRun } from '../support/client_program.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { temporaryFolder } from '../support/server.ts'
import { rejects } from './store_support.ts'

const PARTS = { clock: systemClock, logger: silentLogger, dataFolder: '' }
const etcdctl = await findEtcdctl()

async function open(
  address: string,
  platform?: Platform,
): Promise<{ readonly store: Store; readonly backup: StoreBackup }> {
  const parts = { ...PARTS, platform: platform ?? (await detectPlatform()) }
  const store = await openStore(address, parts)
  const { backup, refusal } = await openBackup(address, store, parts)
  assert.equal(refusal, undefined)
  assert.ok(backup !== undefined)
  return { store, backup }
}

async function put(store: Store, index: number): Promise<bigint> {
  const value = toBytes(`${index}`.padEnd(4_096, 'x'))
  const operation = { kind: 'put', key: toBytes(`/fill/${index}`), value } as const
  return (await store.txn({ compare: [], success: [operation] })).revision
}

async function allOf({ bytes }: StoreSnapshot): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** This runtime, with a gateway whose snapshots are changed on their way. */
async function spoiled(change: (piece: Uint8Array | undefined) => Uint8Array | undefined): Promise<Platform> {
  const platform = await detectPlatform()
  const { unary, watch } = platform.storeFetch
  const spoil: typeof watch = async (url, request) => {
    const response = await watch(url, request)
    if (!url.endsWith('/snapshot')) return response
    return { ...response, read: async () => change(await response.read()) }
  }
  return { ...platform, storeFetch: { unary, watch: spoil } }
}

describe('createGatewayBackup() on three members', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let store: Store
  before(async () => {
    etcd = await startTestEtcd({ members: 3 })
    ;({ store } = await open(etcd.store))
    for (let index = 0; index < 300; index++) await put(store, index)
  })
  after(async () => {
    await store.close()
    await etcd.close()
  })

  it('copies what was acknowledged, as etcdctl reads it, while writes go on', async () => {
    const { backup } = await open(etcd.store)
    let isDone = false
    const writing = (async () => {
      let index = 1_000
      while (!isDone) await put(store, index++)
      return index - 1_000
    })()
    const acknowledged = await put(store, 999)
    const snapshot = await backup.snapshot()
    const bytes = await allOf(snapshot)
    isDone = true
    assert.ok((await writing) > 0)
    assert.equal(bytes.length, snapshot.sizeBytes)
    assert.ok(snapshot.revision >= acknowledged)
    if (etcdctl === undefined) return
    const file = join(etcd.folder, 'copy.db')
    await writeFile(file, bytes)
    const status = await outputOf(etcdctl, ['snapshot', 'status', file, '-w', 'json'], {
      environment: { ETCDCTL_API: '3' },
    })
    const { revision, totalKey } = JSON.parse(status) as { revision: number; totalKey: number }
    assert.ok(revision >= Number(snapshot.revision), `${revision} of ${snapshot.revision}`)
    assert.ok(totalKey >= 301)
    const data = join(etcd.folder, 'restored')
    await outputOf(etcdctl, ['snapshot', 'restore', file, '--data-dir', data], {
      environment: { ETCDCTL_API: '3' },
    })
  })

  it('is had over the gateway of a grpc: address, too', async () => {
    const address = etcd.endpoints.map((url) => url.replace('http:', 'grpc:')).join(',')
    const { store: grpc, backup } = await open(address)
    const snapshot = await backup.snapshot()
    assert.equal((await allOf(snapshot)).length, snapshot.sizeBytes)
    await grpc.close()
  })

  it('refuses a copy that is cut short or damaged on its way', async () => {
    let pieces = 0
    const cut = await spoiled((piece) => (++pieces > 5 ? undefined : piece))
    const { backup: short } = await open(etcd.store, cut)
    await rejects(allOf(await short.snapshot()), 'ERR_STORE_PROTOCOL')
    let isFlipped = false
    const flip = await spoiled((piece) => {
      // A character of base64 in the middle of a long run of one value.
      const at = piece === undefined ? -1 : Buffer.from(piece).indexOf('eHh4eHh4')
      if (piece === undefined || at === -1 || isFlipped) return piece
      isFlipped = true
      const copy = piece.slice()
      copy[at + 1] = 'X'.charCodeAt(0)
      return copy
    })
    const { backup: flipped } = await open(etcd.store, flip)
    const snapshot = await flipped.snapshot()
    await rejects(allOf(snapshot), 'ERR_STORE_PROTOCOL')
    assert.ok(isFlipped)
  })

  it('lets the member go when it is given up', async () => {
    const { backup } = await open(etcd.store)
    const { bytes, release } = await backup.snapshot()
    for await (const _ of bytes) break
    await release()
    const snapshot = await backup.snapshot()
    await snapshot.release()
  })
})

describe('an etcd that has users', { skip: await etcdMissing() }, () => {
  it('is copied by a user with the role root, and gets a new epoch by any that may write', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.close())
    const [url = ''] = etcd.endpoints
    await addUsers(url)
    const platform = await detectPlatform()
    const copyAs = async (name: string, password: string): Promise<number> => {
      const parts = { ...PARTS, platform, auth: { name, password: createSecret(password) } }
      const store = await openStore(url, parts)
      const { backup } = await openBackup(url, store, parts)
      await store.close()
      assert.ok(backup !== undefined)
      const snapshot = await backup.snapshot()
      return (await allOf(snapshot)).length - snapshot.sizeBytes
    }
    assert.equal(await copyAs('root', 'r'), 0)
    await assert.rejects(copyAs('aviso', 'right'), /vars.storeUser and its roles/)

    const home = await temporaryFolder(context)
    const vars = { store: url, storeUser: { name: 'aviso', passwordEnv: 'ETCD_PASSWORD' } }
    const config = { ...configFile, vars: { ...configFile.vars, ...vars } }
    await writeFile(join(home, 'services.json'), JSON.stringify(config))
    const renew = (environment: Record<string, string>): Promise<ClientRun> =>
      runClient(['admin', 'renew-epoch', '--services-config', 'services.json'], { home, environment })
    const missing = await renew({})
    assert.deepEqual([missing.code, /ETCD_PASSWORD/.test(missing.stderr)], [2, true], missing.stderr)
    const wrong = await renew({ ETCD_PASSWORD: 'wrong' })
    assert.deepEqual([wrong.code, /refuses us/.test(wrong.stderr)], [1, true], wrong.stderr)
    const first = await renew({ ETCD_PASSWORD: 'right' })
    assert.deepEqual([first.code, /It had none/.test(first.stdout)], [0, true], first.stderr)
    await writeFile(join(home, 'password'), 'right\n')
    const second = await renew({ ETCD_PASSWORD_FILE: join(home, 'password') })
    const [, epoch = ''] = /: ([\w-]+), at/.exec(first.stdout) ?? []
    assert.match(second.stdout, new RegExp(`It was ${epoch}`))
  })
})

async function addUsers(url: string): Promise<void> {
  const ask = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`${url}/v3/auth/${path}`, { method: 'POST', body: JSON.stringify(body) })
    assert.equal(response.status, 200, path)
    await response.body?.cancel()
  }
  await ask('user/add', { name: 'root', password: 'r' })
  await ask('role/add', { name: 'root' })
  await ask('user/grant', { user: 'root', role: 'root' })
  await ask('user/add', { name: 'aviso', password: 'right' })
  await ask('role/add', { name: 'aviso' })
  const perm = { permType: 'READWRITE', key: btoa('/'), range_end: btoa('0') }
  await ask('role/grant', { name: 'aviso', perm })
  await ask('user/grant', { user: 'aviso', role: 'aviso' })
  await ask('enable', {})
}

describe('openBackup()', () => {
  it('refuses a relay and a store in memory, and says why', async () => {
    const parts = { ...PARTS, platform: await detectPlatform() }
    const memory = await openStore('embedded:memory', parts)
    const { refusal } = await openBackup('embedded:memory', memory, parts)
    assert.match(String(refusal), /in memory/)
    await memory.close()
    const bearer = createSecret('token')
    const relay = await openBackup('http://127.0.0.1:1', memory, { ...parts, bearer })
    assert.equal(relay.refusal?.code, 'ERR_READ_ONLY')
  })
})
