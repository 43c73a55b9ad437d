/** An etcd behind TLS: with its authority named it is used, without it everybody is told why not. On every runtime that reaches etcd that way. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../../scripts/etcd/member.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { startServer, type RuntimeName, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const run = promisify(execFile)
const opensslMissing = await run('openssl', ['version']).then(
  () => false,
  () => 'There is no openssl here to make certificates with: install it',
)
const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun']
/** They mostly wait. */
const CONCURRENCY = 3
const skip = (await etcdMissing()) || opensslMissing

describe('a store behind TLS', { skip, concurrency: CONCURRENCY }, () => {
  let folder = ''
  let etcd: EtcdCluster
  let port = 0
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-tls-'))
    await makeCertificates(folder)
    const [plain, secure] = [await freePort(), await freePort()]
    port = secure
    etcd = await startTestEtcd({
      port: plain,
      flags: [
        `--listen-client-urls=http://127.0.0.1:${plain},https://127.0.0.1:${secure}`,
        `--cert-file=${join(folder, 'etcd.pem')}`,
        `--key-file=${join(folder, 'etcd.key')}`,
      ],
    })
  })
  after(async () => {
    await etcd.close()
    await rm(folder, { recursive: true })
  })

  /** Starts a server over it. @param authority File of the authority that is trusted besides those of the machine. */
  async function serve(runtime: RuntimeName, scheme: string, authority?: string): Promise<TestServer> {
    // gRPC wants a name on Deno and Bun.
    const store = `${scheme}://localhost:${port}`
    const environment = {
      NODE_EXTRA_CA_CERTS: authority,
      DENO_CERT: undefined,
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined,
    }
    return startServer({ runtime, arguments: ['rest', 'auth', '--store', store], environment })
  }

  for (const runtime of RUNTIMES) {
    for (const scheme of ['https', 'grpcs']) {
      it(`is used over ${scheme} on ${runtime} where its authority is named`, async () => {
        const server = await serve(runtime, scheme, join(folder, 'authority.pem'))
        try {
          await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
          assert.equal((await publish(server)).status, 200)
        } finally {
          await server.stop()
        }
      })

      it(`is refused over ${scheme} on ${runtime} where it is not, and the reason is told`, async () => {
        const server = await serve(runtime, scheme)
        try {
          await eventually('a reason', async () => {
            const response = await fetch(`${server.url}/ready`)
            assert.equal(response.status, 503)
            const { reason = '' } = (await response.json()) as { readonly reason?: string }
            return reason.includes('certificate is not trusted')
          })
          assert.equal((await publish(server)).status, 503)
          await eventually('a line in the log', async () =>
            server.output().includes('certificate is not trusted'),
          )
        } finally {
          await server.stop()
        }
      })
    }
  }
})

function publish({ url }: TestServer): Promise<Response> {
  const identifier = { country: 'italy', airport: 'FCO', date: '20260810', number: 'AZ1' }
  return fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_type: 'flight', identifier, payload: 'landed' }),
  })
}

/** An authority, and a certificate by it for this machine. */
async function makeCertificates(folder: string): Promise<void> {
  const openssl = (line: string): Promise<unknown> => run('openssl', line.split(' '), { cwd: folder })
  const newKey = '-newkey rsa:2048 -nodes'
  await openssl(
    `req -x509 ${newKey} -keyout authority.key -out authority.pem -days 1 -subj /CN=aviso-test-authority`,
  )
  await openssl(`req ${newKey} -keyout etcd.key -out etcd.csr -subj /CN=localhost`)
  await writeFile(
    join(folder, 'names'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n',
  )
  await openssl(
    'x509 -req -in etcd.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 1 -extfile names -out etcd.pem',
  )
}
