/**
 * Real proxies: Caddy and nginx of Debian, unpacked into `.cache/proxies` without root, on the files of `scripts/deploy`.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { unpackPackages } from '../../scripts/debian_packages.ts'
import { freePort } from '../../scripts/etcd/member.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { createAuthority } from './certificates.ts'
import { missing } from './missing.ts'
import { eventually, within } from './waiting.ts'

const UNPACKED = fileURLToPath(new URL('../../.cache/proxies', import.meta.url))
const DEPLOY = fileURLToPath(new URL('../../scripts/deploy', import.meta.url))
const CADDY = join(UNPACKED, 'usr', 'bin', 'caddy')
const NGINX = join(UNPACKED, 'usr', 'sbin', 'nginx')

/** How a proxy is started. */
export interface ProxyOptions {
  /** `host:port` of each Aviso. */
  readonly upstreams: readonly [string, string]
  /** Folder for what the proxy writes. */
  readonly folder: string
}

/** A running proxy. */
export interface Proxy {
  /** `https://localhost:PORT`. */
  readonly url: string
  /** The certificate that vouches for it, as PEM. */
  readonly authority: string
  /** Has it read its configuration again, as an operator does. */
  reload(): Promise<void>
  stop(): Promise<void>
  /** Everything that it printed. */
  output(): string
}

/** Why the proxies cannot be had here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export function proxiesMissing(): Promise<string | false> {
  return missing(prepare)
}

async function prepare(): Promise<void> {
  if (await areThere()) return
  try {
    await unpackPackages({ needed: ['caddy', 'nginx'] }, UNPACKED)
    if (!(await areThere())) throw new Error(`${CADDY} or ${NGINX} is not an executable file`)
  } catch (cause) {
    throw new Error('Caddy and nginx cannot be downloaded with apt-get here', { cause })
  }
}

async function areThere(): Promise<boolean> {
  const found = [CADDY, NGINX].map((path) => access(path, constants.X_OK))
  return Promise.all(found).then(
    () => true,
    () => false,
  )
}

/** Starts Caddy on `scripts/deploy/Caddyfile`, which takes its addresses from the environment. */
export async function startCaddy({ upstreams, folder }: ProxyOptions): Promise<Proxy> {
  const [port, httpPort, adminPort] = await Promise.all([freePort(), freePort(), freePort()])
  const url = `https://localhost:${port}`
  const environment = {
    XDG_DATA_HOME: folder,
    XDG_CONFIG_HOME: folder,
    HOME: folder,
    AVISO_SITE: url,
    AVISO_INGESTS: upstreams.join(' '),
    AVISO_LISTENING: upstreams.join(' '),
    AVISO_ADMINS: upstreams.join(' '),
    AVISO_HTTP_PORT: String(httpPort),
    AVISO_CADDY_ADMIN: `localhost:${adminPort}`,
  }
  const config = ['--config', join(DEPLOY, 'Caddyfile'), '--adapter', 'caddyfile']
  await outputOf(CADDY, ['validate', ...config], { environment })
  const child = spawn(CADDY, ['run', ...config], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const root = join(folder, 'caddy', 'pki', 'authorities', 'local', 'root.crt')
  const running = await untilServing(child, port)
  // It is made after the port is open.
  let authority = ''
  await eventually('Caddy has made its authority', async () => {
    authority = await readFile(root, 'utf8').catch(() => '')
    return authority.includes('END CERTIFICATE')
  })
  return {
    ...running,
    url,
    authority,
    reload: async () => {
      await outputOf(CADDY, ['reload', '--force', ...config, '--address', `localhost:${adminPort}`], {
        environment,
      })
    },
  }
}

/** Starts nginx on `scripts/deploy/nginx.conf`, with the addresses and paths that its reader is told to change. */
export async function startNginx({ upstreams, folder }: ProxyOptions): Promise<Proxy> {
  const port = await freePort()
  const authority = await createAuthority(folder)
  const { certificate, key } = await authority.issue('site')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (what) => `${what}_temp_path ${join(folder, what)};`,
  )
  const changes: readonly (readonly [written: string, here: string])[] = [
    ['server 127.0.0.1:8081 ', `server ${upstreams[0]} `],
    ['server 127.0.0.1:8082 ', `server ${upstreams[1]} `],
    ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
    ['server_name aviso.example.com', 'server_name localhost'],
    ['/etc/aviso/tls/site.pem', certificate],
    ['/etc/aviso/tls/site.key', key],
    ['http {', `http {\n${temporary.join('\n')}`],
  ]
  let text = await readFile(join(DEPLOY, 'nginx.conf'), 'utf8')
  for (const [written, here] of changes) {
    assert.ok(text.includes(written), `nginx.conf has no "${written}"`)
    text = text.replace(written, here)
  }
  const file = join(folder, 'nginx.conf')
  await mkdir(join(folder, 'logs'), { recursive: true })
  await writeFile(file, text)
  const user = process.getuid?.() === 0 ? 'user root; ' : ''
  const argv = ['-p', folder, '-c', file, '-e', 'stderr', '-g']
  await outputOf(NGINX, [...argv, `${user}pid ${join(folder, 'pid')};`, '-t'])
  const child = spawn(NGINX, [...argv, `${user}daemon off; pid ${join(folder, 'pid')};`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return {
    ...(await untilServing(child, port)),
    url: `https://localhost:${port}`,
    authority: await readFile(authority.file, 'utf8'),
    reload: async () => {
      child.kill('SIGHUP')
    },
  }
}

async function untilServing(child: ChildProcess, port: number): Promise<Pick<Proxy, 'stop' | 'output'>> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const exited = once(child, 'exit')
  await eventually(`the proxy serves:\n${output}`, async () => {
    if (child.exitCode !== null) throw new Error(`The proxy ended with ${child.exitCode}:\n${output}`)
    return fetch(`http://127.0.0.1:${port}`).then(
      () => true,
      // It answers something that is no HTTP, or HTTP that asks for TLS.
      (error: unknown) => !String((error as Error).cause).includes('ECONNREFUSED'),
    )
  })
  return {
    output: () => output,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await within('the end of the proxy', exited)
    },
  }
}
