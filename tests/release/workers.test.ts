/** Worker modules and workers of a release, as its users have them. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import packageFile from '../../package.json' with { type: 'json' }
import { outputOf, runCommand } from '../../scripts/run_command.ts'
import { missing } from '../support/missing.ts'
import { findPackage } from '../../scripts/npm_package.ts'
import { makeRelease, openWorkplace, ROOT, writeFiles, type Workplace } from './installed.ts'

const NO_WRANGLER = await missing(() => findPackage('wrangler'))
const SYSTEM = `${process.platform}-${process.arch}`
const BIN = join(ROOT, 'node_modules', '.bin')
/** A program that calls a worker module. It waits for the store, which is opened with the first request. */
const USER = `import auth from 'aviso/workers/auth'
const entry = (name, routes) => ({ name, main: \`services/\${name}/worker.ts\`, routes })
const workers = { rest: entry('rest', ['/api/v1/notification']), auth: entry('auth', ['/api/v1/schema']) }
const env = { AVISO_CONFIG: { name: 'aviso', vars: { store: 'embedded:memory' }, workers }, AVISO_SERVICES: 'rest auth' }
const ask = (path, init) => auth.fetch(new Request('http://localhost' + path, init), env)
while ((await ask('/api/v1/schema')).status === 503) await new Promise((next) => setTimeout(next, 10))
const answer = await ask('/api/v1/notification', {
  method: 'POST',
  headers: { 'content-type': 'application/cloudevents+json' },
  body: JSON.stringify({
    specversion: '1.0', id: '1', source: '/tests', type: 'aviso',
    data: { event: 'flight', request: { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ1' } },
  }),
})
console.log(answer.status, (await answer.json()).id)
process.exit()
`
const TYPED = `import auth, { AvisoHost } from 'aviso/workers/auth'
export const answer: Promise<Response> = auth.fetch(new Request('http://localhost/'), {}, {})
export { AvisoHost }
`
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    skipLibCheck: false,
  },
}
const WRANGLER = {
  name: 'aviso-auth',
  main: 'index.mjs',
  compatibility_date: '2026-01-01',
  compatibility_flags: ['enable_request_signal'],
  vars: { AVISO_CONFIG: { name: 'aviso' }, AVISO_SERVICES: ['rest', 'auth'] },
  durable_objects: { bindings: [{ name: 'AVISO_HOST', class_name: 'AvisoHost' }] },
  migrations: [{ tag: 'v1', new_sqlite_classes: ['AvisoHost'] }],
}

describe('workers of a release', { timeout: 240_000 }, () => {
  let workplace: Workplace
  let release: string

  before(async () => {
    workplace = await openWorkplace()
    release = await makeRelease(workplace, ['package', SYSTEM])
  })
  after(() => workplace.close())

  it('are modules that a user loads on Node and Bun, with declarations', async () => {
    const folder = await consumer('workers', {
      'use.mjs': USER,
      'right.ts': TYPED,
      'tsconfig.json': JSON.stringify(TSCONFIG),
    })
    for (const program of [process.execPath, join(BIN, 'bun')])
      assert.match(await outputOf(program, ['use.mjs'], { folder }), /200 flight@1\n$/)
    assert.equal(await outputOf(join(BIN, 'tsc'), ['-p', '.'], { folder }), '')
  })

  it('are modules that wrangler would deploy', { skip: NO_WRANGLER }, async () => {
    const folder = await consumer('deployed', {
      'index.mjs': `export { default, AvisoHost } from 'aviso/workers/auth'\n`,
      'wrangler.jsonc': JSON.stringify(WRANGLER),
    })
    const cli = join(await findPackage('wrangler'), 'wrangler-dist/cli.js')
    const argv = [cli, 'deploy', '--dry-run', '--outdir', 'dry']
    const environment = { CI: '1', WRANGLER_SEND_METRICS: 'false', HOME: folder }
    const { code, output } = await runCommand(process.execPath, argv, { folder, environment })
    assert.equal(code, 0, output)
    assert.match(output, /env\.AVISO_HOST/)
    assert.doesNotMatch(output, /WARNING/)
    // Nothing of another runtime is loaded by it. The documents in it may name what they like.
    const bundle = await readFile(join(folder, 'dry', 'index.js'), 'utf8')
    assert.doesNotMatch(bundle, /(?:from|import|require)\b[\s(]*["']node:(?:sqlite|http)/)
  })

  for (const [name, program] of [
    ['the package', () => [process.execPath, join(release, 'aviso/bin/aviso.mjs')]],
    ['the executable', () => [join(release, `aviso-${packageFile.version}-${SYSTEM}`)]],
  ] as const)
    it(`are started by ${name}, and end with a signal to all of them`, async () => {
      const [command = '', ...argv] = program()
      const flags = ['serve', '--port', '0', '--store', 'embedded:memory', '--workers', '2']
      const child = spawn(command, [...argv, ...flags], {
        // Not the clone, beside whose configuration its own modules are.
        cwd: workplace.folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      })
      let said = ''
      child.stderr.on('data', (text) => (said += String(text)))
      const ended = once(child, 'close')
      for await (const line of createInterface({ input: child.stdout })) {
        said += `${line}\n`
        // To the group, as a terminal sends it.
        if (line.startsWith('Publish:')) process.kill(-(child.pid ?? 0), 'SIGINT')
      }
      assert.deepEqual(await ended, [0, null], said)
      assert.match(said, /, 2 workers, process/)
    })

  async function consumer(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const folder = join(workplace.folder, name)
    await writeFiles(folder, { 'package.json': '{"type": "module"}', ...files })
    await mkdir(join(folder, 'node_modules'), { recursive: true })
    await symlink(join(release, 'aviso'), join(folder, 'node_modules', 'aviso'))
    return folder
  }
})
