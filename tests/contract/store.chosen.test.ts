import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer, request as requestHttp, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import type { Store } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { storeContract } from './store.contract.ts'
import { createKeyspace, put, type KnownDefects } from './store_support.ts'

/** Etcd of Debian 12. */
const DEFECTS: KnownDefects = { deletionAtCompactionLost: 'etcd#19251, mended in 3.4.36 and 3.5.18' }
/** gRPC is tried once, which a busy machine may need some time for. */
const FALLBACK_MS = 1_500

const platform = await detectPlatform()

/** Opens an address, and keeps what the log says about the way. */
async function open(address: string, lines: string[] = []): Promise<Store> {
  const logger = (_level: string, message: string): void => void lines.push(message)
  return openStore(address, { platform, dataFolder: '', clock: systemClock, logger })
}

/** What understands HTTP/1.1 alone, as another Aviso and many proxies do. */
async function startPlainProxy(target: string): Promise<Server> {
  const server = createServer((asked, answer) => {
    const passed = requestHttp(
      `${target}${asked.url}`,
      { method: 'POST', headers: asked.headers },
      (given) => {
        answer.writeHead(given.statusCode ?? 502, given.headers)
        answer.flushHeaders()
        given.on('error', () => answer.destroy())
        given.pipe(answer)
      },
    )
    passed.on('error', () => answer.destroy())
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}

describe('a store of an http: address', { skip: await etcdMissing() }, () => {
  let etcd: EtcdCluster
  let proxy: Server
  let behind = ''
  before(async () => {
    etcd = await startTestEtcd()
    proxy = await startPlainProxy(etcd.endpoints[0] ?? '')
    behind = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  })
  after(async () => {
    proxy.closeAllConnections()
    proxy.close()
    await etcd.close()
  })

  it('is reached over gRPC where etcd answers, and over the gateway soon where it does not', async () => {
    const ways = [
      [etcd.store, /over gRPC/, /^etcd \d.* over gRPC$/],
      [behind, /over the JSON gateway/, /over JSON gateway$/],
      [behind.replace('http:', 'gateway:'), /^$/, /over JSON gateway$/],
      [etcd.store.replace('http:', 'gateway:'), /^$/, /over JSON gateway$/],
      [etcd.store.replace('http:', 'grpc:'), /^$/, /over gRPC$/],
    ] as const
    for (const [address, said, way] of ways) {
      const lines: string[] = []
      const store = await open(address, lines)
      const beganAt = performance.now()
      await put(store, createKeyspace(`/chosen-${randomUUID()}/`).key('a'))
      const tookMs = performance.now() - beganAt
      const { version } = await store.status()
      await store.close()
      assert.match(version, way)
      assert.match(lines.join('\n'), said)
      assert.ok(lines.length <= 1, lines.join('\n'))
      assert.ok(tookMs < FALLBACK_MS, `${address} took ${tookMs} ms`)
    }
  })

  storeContract(
    'http: of etcd',
    async () => ({ store: await open(etcd.store), reopen: () => open(etcd.store) }),
    DEFECTS,
  )
  storeContract(
    'http: of a proxy without HTTP/2',
    async () => ({ store: await open(behind), reopen: () => open(behind) }),
    DEFECTS,
  )
})
