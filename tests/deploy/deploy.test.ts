/** The files of `scripts/deploy` by their own tools: systemd's analysis, the schemas of compose and Kubernetes, our launcher. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { parse, parseAllDocuments } from 'yaml'
import { loadContract } from '#services/system/contract.ts'
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import { outputOf, runCommand } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { findPythonPackage } from '../support/python_packages.ts'
import { serveCommand, temporaryFolder } from '../support/server.ts'

const DEPLOY = fileURLToPath(new URL('../../scripts/deploy', import.meta.url))
const CHART = join(DEPLOY, 'chart')
const RENDERED = fileURLToPath(new URL('rendered_chart.yaml', import.meta.url))
/** With everything that is off by default. */
const ALL_PARTS = 'listening.autoscaling.enabled=true,ingress.enabled=true,serviceMonitor.enabled=true'
const HELM = ['template', 'aviso', CHART, '--kube-version', '1.30.0', '--set', ALL_PARTS]
/** The oldest that the chart takes, and the newest with schemas. */
const KUBERNETES = ['1.25', '1.37'] as const
const SCHEMAS = {
  name: 'deploy_schemas-1',
  requirements: ['check-jsonschema==0.39.0', 'kubernetes-validate==1.37.0'],
}
/** Highest exposure of the unit, times ten. */
const MOST_EXPOSURE = 20
const TOKENS = ['OPERATOR_TOKEN', 'TEAM_TOKEN', 'TELEMETRY_TOKEN']

const read = (name: string): Promise<string> => readFile(join(DEPLOY, name), 'utf8')

const noSystemd = await missing(() => outputOf('systemd-analyze', ['--version']))

describe('aviso.service', { skip: noSystemd }, () => {
  it('is right by systemd, and exposes as little as README.md says', async (context) => {
    const file = join(await temporaryFolder(context), 'aviso.service')
    const text = await read('aviso.service')
    // The program that it names is installed by its reader.
    assert.ok(text.includes('ExecStart=/usr/local/bin/aviso '))
    await writeFile(file, text.replace('ExecStart=/usr/local/bin/aviso', 'ExecStart=/bin/true'))
    assert.equal(await outputOf('systemd-analyze', ['verify', file]), '')
    const security = ['security', '--no-pager', '--offline=true', `--threshold=${MOST_EXPOSURE}`, file]
    const figure = /exposure level for aviso\.service: ([\d.]+)/.exec(
      await outputOf('systemd-analyze', security),
    )?.[1]
    assert.ok(
      (await read('README.md')).includes(`exposure ${figure} of 10`),
      `README.md does not say ${figure}`,
    )
  })

  it('takes its port from aviso.socket, which is right by systemd', async (context) => {
    const folder = await temporaryFolder(context)
    const unit = (await read('aviso.service')).replace(
      'ExecStart=/usr/local/bin/aviso',
      'ExecStart=/bin/true',
    )
    await writeFile(join(folder, 'aviso.service'), unit)
    await writeFile(join(folder, 'aviso.socket'), await read('aviso.socket'))
    const files = ['aviso.service', 'aviso.socket'].map((name) => join(folder, name))
    assert.equal(await outputOf('systemd-analyze', ['verify', ...files]), '')
  })

  it('waits for longer than the services may take to end', async () => {
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(await read('aviso.service'))?.[1])
    const { dev } = loadConfig(await read('aviso.json'), 'aviso.json')
    assert.ok(seconds > dev.drainSeconds + 15)
  })
})

describe('aviso.json', () => {
  for (const name of SERVICE_NAMES) {
    it(`is a configuration of ${name}, as compose.yaml runs it`, async (context) => {
      const { services } = parse(await read('compose.yaml'), { merge: true }) as Compose
      const started = Object.values(services).filter(({ command = [] }) => command.includes(name))
      assert.ok(started.length > 0)
      const folder = await temporaryFolder(context)
      for (const { command = [], environment = {}, secrets = [] } of started) {
        for (const token of TOKENS) {
          assert.equal(environment[`${token}_FILE`], `/run/secrets/${token.toLowerCase()}`)
          assert.ok(secrets.includes(token.toLowerCase()))
        }
        const [, ...argv] = command.map((word) => word.replace(/^\/etc\/aviso/, DEPLOY))
        const [program, ...prefix] = serveCommand('node')
        const { code, output } = await runCommand(
          program,
          [...prefix, ...argv, '--port', '0', '--data', folder, '--check-offline'],
          { environment: Object.fromEntries(TOKENS.map((token) => [token, token.repeat(4)])) },
        )
        assert.equal(code, 0, output)
      }
    })
  }
})

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      {
        readonly command?: readonly string[]
        readonly environment?: Readonly<Record<string, string>>
        readonly secrets?: readonly string[]
        readonly image?: string
        readonly stop_grace_period?: string
        readonly depends_on?: readonly string[]
        readonly volumes?: readonly string[]
      }
    >
  >
  readonly volumes: Readonly<Record<string, unknown>>
}

const noSchemas = await missing(() => findPythonPackage(SCHEMAS))

describe('compose.yaml', () => {
  it('is right by the schema of compose', { skip: noSchemas }, async () => {
    await schemaTool('check-jsonschema', [
      '--builtin-schema',
      'vendor.compose-spec',
      join(DEPLOY, 'compose.yaml'),
    ])
  })

  it('mounts files that are there, and names images without a registry', async () => {
    const { services, volumes } = parse(await read('compose.yaml'), { merge: true }) as Compose
    for (const [name, { image = '', volumes: mounts = [] }] of Object.entries(services)) {
      assert.doesNotMatch(image.split('/')[0] ?? '', /[.:].*\//, name)
      for (const mount of mounts) {
        const [from = ''] = mount.split(':')
        if (from.startsWith('.')) await read(from)
        else assert.ok(Object.hasOwn(volumes, from), `${name}: ${from}`)
      }
    }
  })

  it('ends services before their store, and gives each the time that its end takes', async () => {
    const { services } = parse(await read('compose.yaml'), { merge: true }) as Compose
    const { dev } = loadConfig(await read('aviso.json'), 'aviso.json')
    const stores = Object.keys(services).filter((name) => services[name]?.image === 'aviso-etcd')
    const ofProxy = Number(/^\tgrace_period (\d+)s$/m.exec(await read('Caddyfile'))?.[1])
    for (const [name, { image, depends_on: before = [], stop_grace_period: time = '' }] of Object.entries(
      services,
    )) {
      const isOurs = image === 'aviso'
      assert.deepEqual(before, isOurs ? stores : [], name)
      assert.ok(Number.parseInt(time, 10) > (isOurs ? dev.drainSeconds + 15 : ofProxy), name)
    }
  })
})

describe('Containerfile', () => {
  it('is started as README.md says', async () => {
    const command = /^# {3}(podman run [^]*?[^\\])\n/m.exec(await read('Containerfile'))?.[1] ?? ''
    assert.ok(command.includes('--read-only'))
    assert.ok((await read('README.md')).includes(command.replaceAll(/^# {3}/gm, '')), command)
  })
})

describe('chart', () => {
  it('takes its values, and refuses wrong ones', async () => {
    const validate = new Ajv({ strict: false }).compile(
      JSON.parse(await read('chart/values.schema.json')) as object,
    )
    const values = parse(await read('chart/values.yaml')) as Record<string, object>
    assert.ok(validate(values), JSON.stringify(validate.errors))
    for (const wrong of [
      { drainSeconds: -1 },
      { drainSecond: 1 },
      { admin: { ...values['admin'], replicas: 2 } },
      { listening: { ...values['listening'], replica: 2 } },
      { config: { ...values['config'], dev: {} } },
      { config: { ...values['config'], vars: { store: 'embedded:', identity: {} } } },
    ])
      assert.ok(!validate({ ...values, ...wrong }), JSON.stringify(wrong))
  })

  it('has a configuration that the services take', async () => {
    const rendered = parseAllDocuments(await readFile(RENDERED, 'utf8')).map(
      (document) => document.toJS() as { kind: string; data?: Record<string, string> },
    )
    const map = rendered.find(({ kind }) => kind === 'ConfigMap')
    const { dev } = loadConfig(map?.data?.['aviso.json'] ?? '', 'aviso.json')
    assert.deepEqual([dev.host, dev.port, dev.drainSeconds], ['0.0.0.0', 8080, 10])
  })

  it('leads to every path of the services, except to those of the inside', async () => {
    const [ingress] = parseAllDocuments(await readFile(RENDERED, 'utf8'))
      .map((document) => document.toJS() as RenderedIngress)
      .filter(({ kind }) => kind === 'Ingress')
    const paths = ingress?.spec.rules[0]?.http.paths ?? []
    const inside = /^\/(?:metrics|livez|ready|readyz|healthz|health|api\/v1\/(?:telemetry|monitoring))/
    const rooms = await loadContract()
    const routes = rooms.flatMap(({ operations }) =>
      Object.values(operations).map(({ route }) => route.split(' ')[1] ?? ''),
    )
    const missed = routes.filter(
      (route) =>
        !inside.test(route) &&
        !paths.some(({ path, pathType }) =>
          pathType === 'Exact' ? route === path : route === path || route.startsWith(`${path}/`),
        ),
    )
    assert.deepEqual(missed, [])
    assert.ok(routes.length > 50)
  })

  it('is the one of which the rendered chart was made', async () => {
    const first = (await readFile(RENDERED, 'utf8')).split('\n')[0]
    const digest = await digestOf(CHART)
    const remedy = `make it again: echo '# ${digest}' > tests/deploy/rendered_chart.yaml && helm ${HELM.join(' ')} >> …`
    assert.equal(first, `# ${digest}`, remedy.replaceAll(CHART, 'scripts/deploy/chart'))
  })

  it('gives what Kubernetes takes', { skip: noSchemas }, async () => {
    for (const version of KUBERNETES) {
      // Kubernetes itself has no schema of the Prometheus operator's.
      const output = await schemaTool('kubernetes-validate', ['--strict', '-k', version, RENDERED])
      const warnings = output.split('\n').filter((line) => line.startsWith('WARN'))
      assert.ok(warnings.length === 1 && warnings[0]?.includes('ServiceMonitor'), output)
    }
  })

  const helm = runCommand('helm', ['version']).then(
    () => false as const,
    () => 'helm is not on the PATH' as const,
  )
  it('is right by helm, and gives what was rendered', async (context) => {
    const skip = await helm
    if (skip !== false) return context.skip(skip)
    await outputOf('helm', ['lint', '--strict', CHART])
    const [, ...lines] = (await readFile(RENDERED, 'utf8')).split('\n')
    assert.equal(await outputOf('helm', HELM), lines.join('\n'))
    assert.equal((await runCommand('helm', [...HELM, '--set', 'drainSeconds=-1'])).code, 1)
  })
})

interface RenderedIngress {
  readonly kind: string
  readonly spec: {
    readonly rules: readonly {
      readonly http: { readonly paths: readonly { readonly path: string; readonly pathType: string }[] }
    }[]
  }
}

/** Runs a program of the environment. It is given to Python, because it names a folder that was renamed. */
async function schemaTool(name: string, argv: readonly string[]): Promise<string> {
  const bin = await findPythonPackage(SCHEMAS)
  return outputOf(join(bin, 'python'), [join(bin, name), ...argv])
}

/** The digest of all files of a folder with their names. */
async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  for (const file of files.toSorted()) hash.update(file.slice(folder.length)).update(await readFile(file))
  return hash.digest('hex')
}
