/**
 * The container images and `compose.yaml` of `scripts/deploy`, built and started by podman. Too long for the gate: `npm run test:long`, or this
 * file alone by its path, as root on Debian.
 *
 * No registry is asked: stand-ins of the same names take the place of other people's images, and nothing that is built or started here
 * reaches a network, but for Debian's packages of etcd. It prints what it measures.
 */

import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { outputOf, type CommandResult } from '../../scripts/run_command.ts'
import { PROGRAM } from '../support/client_program.ts'
import { missing } from '../support/missing.ts'
import { findPythonPackage } from '../support/python_packages.ts'
import { eventually } from '../support/waiting.ts'
import { containersMissing, startContainerHost, type ContainerHost } from './container_host.ts'
import { makeStandIns } from './container_images.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMPOSE = { name: 'podman-compose-1.6.0', requirements: ['podman-compose==1.6.0'] }
/** As on docker, where no folder for temporary files is added to a root file system that is read-only. */
const STRICT = '--read-only-tmpfs=false'
const TOKENS = { OPERATOR_TOKEN: 'operator'.repeat(5), TEAM_TOKEN: 'team'.repeat(10) }
const SECRETS = ['operator_token', 'team_token', 'telemetry_token', 'grafana_password']
const SERVICES = ['ingest1', 'ingest2', 'listening1', 'listening2', 'admin', 'monitoring']
const STORES = ['etcd0', 'etcd1', 'etcd2']
/** All but Grafana, of which there is no package. */
const CLUSTER = [...STORES, ...SERVICES, 'caddy', 'prometheus']
/** With a drain of 10 s. */
const LONGEST_END_MS = 25_000
const A_MOMENT_MS = 100

const skip = (await containersMissing()) || (await missing(() => findPythonPackage(COMPOSE)))

describe('containers', { skip, timeout: 900_000 }, () => {
  let host: ContainerHost
  let clone: string

  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aviso-containers-'))
    clone = join(folder, 'clone')
    await copyDeployed(clone)
    host = await startContainerHost(folder)
    await makeStandIns(host)
  })
  after(async () => {
    await host.close()
    await rm(host.folder, { recursive: true, force: true })
  })

  const podman = (...argv: readonly string[]): Promise<string> => host.output(['podman', ...argv])
  const curl = (...argv: readonly string[]): Promise<CommandResult> =>
    host.run(['curl', '--silent', '--show-error', '--insecure', '--max-time', '10', ...argv])
  /** Builds a file of `scripts/deploy` as it is. */
  const build = async (file: string, tag: string, outside: boolean): Promise<number> => {
    const argv = ['podman', 'build', '--format', 'docker', '-f', `scripts/deploy/${file}`, '-t', tag, '.']
    await host.output(argv, { folder: clone, outside })
    const [image] = JSON.parse(await podman('image', 'inspect', tag)) as readonly { readonly Size: number }[]
    return image?.Size ?? 0
  }
  /** Runs our image as the head of the Containerfile says. @param command Words in place of those behind the image. */
  const start = async (command?: readonly string[]): Promise<CommandResult> => {
    const [run, ...words] = await headCommand()
    const image = words.lastIndexOf('aviso', words.indexOf('serve'))
    const argv = ['podman', run ?? '', STRICT, ...words.slice(0, image + 1)]
    return host.run([...argv, ...(command ?? words.slice(image + 1))], { folder: clone, environment: TOKENS })
  }
  /** Waits for the end of a container. @returns its exit code */
  const endOf = async (name: string): Promise<number> => Number((await podman('wait', name)).trim())
  /** Publishes as a provider does: repeated until it is acknowledged, which its id makes safe. @returns the number of attempts */
  const publish = async (url: string, token: string, payload: string): Promise<number> => {
    const request = { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' }
    const data = { event: 'flight', request, payload }
    const body = { specversion: '1.0', id: `id-${payload}`, source: '/containers', type: 'aviso', data }
    const headers = [
      '--header',
      `Authorization: Bearer ${token}`,
      '--header',
      'Content-Type: application/json',
    ]
    let attempts = 0
    await eventually(
      `${payload} is acknowledged`,
      async () => {
        attempts++
        const { output } = await curl(
          ...headers,
          '--data',
          JSON.stringify(body),
          `${url}/api/v1/notification`,
        )
        return output.includes('"status":"success"')
      },
      A_MOMENT_MS,
    )
    return attempts
  }
  /** All payloads of the history. */
  const history = async (url: string, token: string): Promise<readonly string[]> => {
    const { output } = await curl(
      '--header',
      `Authorization: Bearer ${token}`,
      `${url}/api/v1/notifications?event=flight&order=oldest&limit=1000`,
    )
    assert.match(output, /"notifications":/)
    return payloadsOf(output)
  }

  describe('the image', () => {
    it('is built of the package, without a network', async (context) => {
      const size = await build('Containerfile', 'aviso', false)
      const base = JSON.parse(await podman('image', 'inspect', 'node:24-slim')) as readonly {
        readonly Size: number
      }[]
      const own = size - (base[0]?.Size ?? 0)
      context.diagnostic(`${megabytes(size)} MB, ${megabytes(own)} MB of them on top of Node's image`)
      assert.ok(own < 20e6)
      const npm = ['--entrypoint', 'sh', 'aviso', '-c', 'command -v npm npx; ls /tmp /root/.npm']
      assert.doesNotMatch((await host.run(['podman', 'run', '--rm', ...npm])).output, /bin\/np|aviso-/)
    })

    it('says what is wrong with a configuration, and exits with 2', async () => {
      const { code, output } = await start(['serve', '--config', '/etc/aviso/other.json'])
      assert.equal(code, 0, output)
      assert.equal(await endOf('aviso'), 2)
      assert.match(await podman('logs', 'aviso'), /^error: Cannot read the configuration file "[^"]*"/m)
      await podman('rm', 'aviso')
      const unset = await host.run([
        'podman',
        'run',
        '--rm',
        '--volume',
        `${clone}/scripts/deploy/aviso.json:/etc/aviso/aviso.json:ro`,
        'aviso',
      ])
      assert.equal(unset.code, 2)
      assert.match(
        unset.output,
        /secretEnv: A secret is missing: set the environment variable OPERATOR_TOKEN/,
      )
    })

    it('runs as its head says, and keeps what it acknowledged', { timeout: 120_000 }, async (context) => {
      const url = 'http://127.0.0.1:8080'
      const startedAt = performance.now()
      const { code, output } = await start()
      assert.equal(code, 0, output)
      const ready = (): Promise<void> =>
        eventually('ready', async () => (await curl('--fail', `${url}/readyz`)).code === 0, A_MOMENT_MS)
      await ready()
      context.diagnostic(`ready ${Math.round(performance.now() - startedAt)} ms after podman run`)
      assert.match(await podman('exec', 'aviso', 'aviso', 'health'), /^ready/m)
      await podman('healthcheck', 'run', 'aviso')
      const status = await podman('exec', 'aviso', 'cat', '/proc/1/status')
      assert.match(status, /^Name:\s+(?:node|aviso|MainThread)$/m)
      assert.match(status, /^Uid:\s+10001\s+10001\s/m)
      assert.match(status, /^CapBnd:\s+0+$/m)
      assert.match(status, /^NoNewPrivs:\s+1$/m)
      context.diagnostic(`memory ${Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024)} MiB`)

      const stream = host.start([
        'curl',
        '--silent',
        '--no-buffer',
        '--header',
        `Authorization: Bearer ${TOKENS.TEAM_TOKEN}`,
        `${url}/api/v1/watch?event=flight`,
      ])
      let streamed = ''
      stream.stdout.on('data', (chunk) => (streamed += String(chunk)))
      await eventually('connected', () => streamed.includes('connection_established'))
      assert.equal(await publish(url, TOKENS.TEAM_TOKEN, 'first'), 1)
      await eventually('delivered', () => payloadsOf(streamed).includes('first'))
      assert.deepEqual(await history(url, TOKENS.TEAM_TOKEN), ['first'])
      // Files beside the volume would be in the layer of the container. What the engine mounts is empty there.
      const layer = (await podman('inspect', 'aviso', '--format', '{{.GraphDriver.Data.UpperDir}}')).trim()
      assert.equal(await host.output(['find', layer, '-type', 'f', '-size', '+0']), '')

      const stoppedAt = performance.now()
      await podman('stop', 'aviso')
      const endMs = performance.now() - stoppedAt
      context.diagnostic(`ended ${Math.round(endMs)} ms after podman stop`)
      assert.ok(endMs < LONGEST_END_MS)
      assert.equal(await endOf('aviso'), 0)
      for (const end of [
        () => podman('kill', 'aviso'),
        () => podman('rm', '--force', '--time', '30', 'aviso'),
      ]) {
        await podman('start', 'aviso')
        await ready()
        assert.deepEqual(await history(url, TOKENS.TEAM_TOKEN), ['first'])
        await end()
      }
    })
  })

  describe('compose.yaml', () => {
    const url = 'https://localhost'
    const name = (service: string): string => `aviso_${service}_1`
    let compose: (...argv: readonly string[]) => Promise<string>
    let token: string
    let operator: string

    before(async () => {
      const bin = await findPythonPackage(COMPOSE)
      const file = join(clone, 'scripts/deploy/compose.yaml')
      const prefix = [join(bin, 'python'), join(bin, 'podman-compose'), `--podman-run-args=${STRICT}`]
      compose = (...argv) => host.output([...prefix, '--file', file, ...argv], { folder: clone })
      const secrets = join(clone, 'scripts/deploy/secrets')
      await mkdir(secrets, { mode: 0o700 })
      for (const secret of SECRETS) await writeFile(join(secrets, secret), secret.repeat(4))
      ;[token, operator] = ['team_token'.repeat(4), 'operator_token'.repeat(4)]
    })

    it('starts a cluster that takes, delivers and measures', { timeout: 240_000 }, async (context) => {
      const size = await build('Containerfile.etcd', 'aviso-etcd', true)
      context.diagnostic(`image of etcd: ${megabytes(size)} MB`)
      const startedAt = performance.now()
      await compose('up', '--build', '--detach', ...CLUSTER)
      for (const service of [...STORES, ...SERVICES])
        await eventually(
          service,
          async () => (await host.run(['podman', 'healthcheck', 'run', name(service)])).code === 0,
          A_MOMENT_MS,
        )
      context.diagnostic(`all healthy ${Math.round(performance.now() - startedAt)} ms after compose up`)
      await eventually(
        'through Caddy',
        async () => (await statusOf('/api/v1/me', token)) === 200,
        A_MOMENT_MS,
      )
      assert.equal(await publish(url, token, 'm0'), 1)
      assert.deepEqual(await history(url, token), ['m0'])
      for (const path of ['/metrics', '/api/v1/telemetry', '/api/v1/monitoring/status'])
        assert.equal(await statusOf(path, operator), 404, path)
      assert.equal(await statusOf('/api/v1/admin/status', operator), 200)
      assert.equal(await statusOf('/api/v1/admin/status', token), 403)
      assert.equal(await statusOf('/api/v1/runs', token), 200)
    })

    it('is read whole by Prometheus', { timeout: 60_000 }, async () => {
      const place = '{{(index .NetworkSettings.Networks "aviso_inside").IPAddress}}'
      const address = (await podman('inspect', name('prometheus'), '--format', place)).trim()
      await eventually(
        'every target answered',
        async () => {
          const { output } = await curl(`http://${address}:9090/api/v1/query?query=up`)
          const { data } = JSON.parse(output) as {
            readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
          }
          return data.result.length === 9 && data.result.every(({ value }) => value[1] === '1')
        },
        A_MOMENT_MS,
      )
      const { output } = await curl(`http://${address}:9090/api/v1/rules`)
      assert.doesNotMatch(output, /"health":"err"/)
    })

    it('loses and doubles nothing when a part of it ends', { timeout: 240_000 }, async (context) => {
      const authority = join(host.folder, 'authority.crt')
      const path = '/data/caddy/pki/authorities/local/root.crt'
      await writeFile(authority, await podman('exec', name('caddy'), 'cat', path))
      const tokenFile = join(clone, 'scripts/deploy/secrets/team_token')
      const listener = host.start([
        'env',
        `AVISO_BASE_URL=${url}`,
        `HOME=${host.folder}`,
        process.execPath,
        PROGRAM,
        'listen',
        '--event',
        'flight',
        '--ca-file',
        authority,
        '--token-file',
        tokenFile,
      ])
      let printed = ''
      listener.stdout.on('data', (chunk) => (printed += String(chunk)))
      listener.stderr.on('data', (chunk) => (printed += String(chunk)))
      await eventually('connected', () => printed.includes('Connected'))

      let isDone = false
      let sent = 0
      let repeated = 0
      const publishing = (async () => {
        while (!isDone) repeated += (await publish(url, token, `m${++sent}`)) - 1
      })()
      // Told below, where it is waited for.
      publishing.catch(() => undefined)
      const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
        ['a store ends', () => podman('stop', '--time', '10', name('etcd0'))],
        ['an ingest ends', () => podman('stop', '--time', '45', name('ingest1'))],
        ['a listening service ends', () => podman('stop', '--time', '45', name('listening1'))],
        ['they come back', () => podman('start', name('etcd0'), name('ingest1'), name('listening1'))],
        ['the service is healthy', () => healthy(name('listening1'))],
        ['the other one is killed', () => podman('kill', name('listening2'))],
        ['another store ends', () => podman('stop', '--time', '10', name('etcd1'))],
      ]
      for (const [what, step] of steps) {
        await step()
        const mark = sent + 1
        await eventually(`delivered after: ${what}`, () => payloadsOf(printed).includes(`m${mark}`))
      }
      isDone = true
      await publishing
      const all = Array.from({ length: sent }, (_, index) => `m${index + 1}`)
      await eventually('the last one', () => payloadsOf(printed).includes(`m${sent}`))
      // Each once, in the order of the store.
      assert.deepEqual(payloadsOf(printed), all)
      context.diagnostic(
        `${sent} notifications delivered once, while parts ended; ${repeated} requests repeated`,
      )
      listener.kill('SIGTERM')
      assert.equal(await codeOf(name('ingest1')), 0)
      await podman('start', name('etcd1'), name('listening2'))
    })

    it('ends in order, keeps what it has, and is removed', { timeout: 240_000 }, async (context) => {
      const before = await history(url, token)
      const stoppedAt = performance.now()
      await compose('stop')
      context.diagnostic(`compose stop: ${Math.round(performance.now() - stoppedAt)} ms`)
      for (const service of SERVICES) assert.equal(await codeOf(name(service)), 0, service)
      await compose('down')
      assert.equal((await podman('ps', '--all', '--quiet', '--filter', 'name=aviso_')).trim(), '')
      await compose('up', '--no-build', '--detach', ...CLUSTER)
      await eventually('again', async () => (await statusOf('/api/v1/me', token)) === 200, A_MOMENT_MS)
      assert.deepEqual(await history(url, token), before)
      await compose('down', '--volumes')
      assert.equal((await podman('volume', 'ls', '--quiet', '--filter', 'name=aviso_')).trim(), '')
    })

    const statusOf = async (path: string, bearer: string): Promise<number> => {
      const flags = ['--output', '/dev/null', '--write-out', '%{http_code}']
      const { output } = await curl(...flags, '--header', `Authorization: Bearer ${bearer}`, `${url}${path}`)
      return Number(/\d+$/.exec(output)?.[0])
    }
    const healthy = (container: string): Promise<void> =>
      eventually(
        container,
        async () => (await host.run(['podman', 'healthcheck', 'run', container])).code === 0,
        A_MOMENT_MS,
      )
    const codeOf = async (container: string): Promise<number> =>
      Number((await podman('inspect', container, '--format', '{{.State.ExitCode}}')).trim())
  })
})

/** Copies what the files of `scripts/deploy` read, with a package beside it, as `npm run release -- package` leaves it. */
async function copyDeployed(clone: string): Promise<void> {
  for (const path of [
    '.dockerignore',
    'scripts/deploy',
    'services/monitoring/prometheus',
    'services/monitoring/grafana',
  ])
    await cp(join(ROOT, path), join(clone, path), {
      recursive: true,
      filter: (each) => !each.endsWith('/secrets'),
    })
  await outputOf(process.execPath, [
    join(ROOT, 'scripts/release.ts'),
    'package',
    '--out',
    join(clone, 'dist'),
  ])
}

/** The words behind `podman` of the command in the head of the Containerfile. */
async function headCommand(): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, 'scripts/deploy/Containerfile'), 'utf8')
  const command = /^# {3}podman (run [^]*?[^\\])\n/m.exec(text)?.[1] ?? ''
  return command.split(/[\s\\#]+/).filter((word) => word !== '')
}

/** The payloads in what was printed, each once for each time that it is there. */
function payloadsOf(text: string): readonly string[] {
  return Array.from(text.matchAll(/"payload"\s*:\s*"(\w+)"/g), ([, payload]) => payload ?? '')
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6)
}
