/** An etcd behind TLS: with its authority named it is used, without it everybody is told why not. On every runtime that reaches etcd that way. */

import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import config from '../../wrangler-like.config.json' with { type: 'json' }
import { freePort } from '../../scripts/etcd/member.ts'
import { createAuthority, opensslMissing, type TestAuthority } from '../support/certificates.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { runCommand, type CommandResult } from '../../scripts/run_command.ts'
import { serveCommand, startServer, type RuntimeName, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const RUNTIMES: readonly RuntimeName[] = ['node', 'deno', 'bun']
/** They mostly wait. */
const CONCURRENCY = 3
const skip = (await etcdMissing()) || (await opensslMissing())

describe('a store behind TLS', { skip, concurrency: CONCURRENCY }, () => {
  let folder = ''
  let etcd: EtcdCluster
  let port = 0
  before(async () => {
    ;({ folder, etcd, port } = await startSecureEtcd(() => []))
  })
  after(async () => {
    await etcd.close()
    await rm(folder, { recursive: true })
  })

  /** Starts a server over it. @param authority File of the authority that is trusted besides those of the machine. */
  async function serve(runtime: RuntimeName, scheme: string, authority?: string): Promise<TestServer> {
    const store = `${scheme}://127.0.0.1:${port}`
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

describe('an etcd that wants certificates', { skip, concurrency: CONCURRENCY }, () => {
  let folder = ''
  let etcd: EtcdCluster
  let port = 0
  let authority: TestAuthority
  before(async () => {
    ;({ folder, etcd, port, authority } = await startSecureEtcd(({ file }) => [
      `--trusted-ca-file=${file}`,
      '--client-cert-auth',
    ]))
  })
  after(async () => {
    await etcd.close()
    await rm(folder, { recursive: true })
  })

  /** Starts a server over it, by an address in numbers. */
  async function serve(runtime: RuntimeName, scheme: string, storeTls: object): Promise<TestServer> {
    const name = `${runtime}-${scheme}-${Object.keys(storeTls).length}`
    return startServer({ runtime, arguments: ['--config', await write(name, { scheme, storeTls })] })
  }

  async function write(
    name: string,
    { scheme, storeTls }: { readonly scheme: string; readonly storeTls: object },
  ): Promise<string> {
    const file = join(folder, `${name}.json`)
    const vars = { ...config.vars, store: `${scheme}://127.0.0.1:${port}`, storeTls }
    await writeFile(file, JSON.stringify({ ...config, $schema: undefined, vars }))
    return file
  }

  for (const runtime of RUNTIMES) {
    for (const scheme of ['https', 'grpcs', 'gateways']) {
      it(`is used over ${scheme} on ${runtime} with certificate and authority, and watched`, async () => {
        const files = await authority.issue(`${runtime}-${scheme}`)
        const server = await serve(runtime, scheme, { authority: authority.file, ...files })
        try {
          await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
          assert.equal((await publish(server)).status, 200)
          await eventually('the monitoring sees its members', async () => {
            const status = (await (await fetch(`${server.url}/api/v1/monitoring/status`)).json()) as {
              readonly checks: readonly { readonly name: string; readonly status: string }[]
            }
            return status.checks.some(
              ({ name, status: found }) => name === 'etcd_cluster_status' && found === 'ok',
            )
          })
        } finally {
          await server.stop()
        }
      })
    }

    it(`is refused on ${runtime} without a certificate, and the reason is told`, async () => {
      const server = await serve(runtime, 'https', { authority: authority.file })
      try {
        await eventually('a line in the log', async () => server.output().includes('vars.storeTls'))
        assert.equal((await publish(server)).status, 503)
      } finally {
        await server.stop()
      }
    })
  }

  it('answers a check before a start', async () => {
    const files = await authority.issue('checking')
    const check = (storeTls: object): Promise<CommandResult> => {
      const [command, ...argv] = serveCommand('node')
      return write('check', { scheme: 'https', storeTls }).then((file) =>
        runCommand(command, [...argv, '--check', '--port', '0', '--config', file]),
      )
    }
    const fine = await check({ authority: authority.file, ...files })
    assert.equal(fine.code, 0, fine.output)
    const refused = await check({ authority: authority.file })
    assert.equal(refused.code, 2)
    assert.match(refused.output, /vars\.store: .*vars\.storeTls/)
  })

  it('is used with the new certificate once its files have changed', async () => {
    const files = await authority.issue('changing')
    const server = await serve('node', 'gateways', { authority: authority.file, ...files })
    try {
      await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
      const next = await authority.issue('next')
      await copyFile(next.key, files.key)
      await copyFile(next.certificate, files.certificate)
      server.child.kill('SIGHUP')
      await eventually('a line in the log', () =>
        server.output().includes('The certificates for the store were replaced'),
      )
      assert.equal((await publish(server)).status, 200)
    } finally {
      await server.stop()
    }
  })
})

interface SecureEtcd {
  /** Of the certificates, with `authority.pem`. */
  readonly folder: string
  readonly etcd: EtcdCluster
  /** The port with TLS. */
  readonly port: number
  readonly authority: TestAuthority
}

/** An etcd whose second port speaks TLS. @param flags Further ones. */
async function startSecureEtcd(flags: (authority: TestAuthority) => readonly string[]): Promise<SecureEtcd> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-tls-'))
  const authority = await createAuthority(folder)
  const { certificate, key } = await authority.issue('etcd')
  const [plain, port] = [await freePort(), await freePort()]
  const etcd = await startTestEtcd({
    port: plain,
    flags: [
      `--listen-client-urls=http://127.0.0.1:${plain},https://127.0.0.1:${port}`,
      `--cert-file=${certificate}`,
      `--key-file=${key}`,
      ...flags(authority),
    ],
  })
  return { folder, etcd, port, authority }
}

function publish({ url }: TestServer): Promise<Response> {
  const identifier = { country: 'italy', airport: 'FCO', date: '20260810', number: 'AZ1' }
  return fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_type: 'flight', identifier, payload: 'landed' }),
  })
}
