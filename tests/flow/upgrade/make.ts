/**
 * Makes the fixture of `tests/flow/upgrade.test.ts` with the program of a commit:
 *
 *   node tests/flow/upgrade/make.ts COMMIT
 *
 * `program.mjs.gz` is its launcher as one file, for Node. `data` is the store that it wrote, `config.json` its configuration, and
 * `expected.json` what it answered.
 *
 * @module
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { publishFlight, readLines } from './ask.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const HERE = fileURLToPath(new URL('.', import.meta.url))
const PORT = 18_080
const COUNT = 12
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);"

const [, , commit = ''] = process.argv
const work = await mkdtemp(join(tmpdir(), 'aviso-before-'))
const source = join(work, 'source')
await mkdir(source)
execFileSync('sh', ['-c', `git archive ${commit} | tar -x -C ${source}`], { cwd: ROOT })
await symlink(join(ROOT, 'node_modules'), join(source, 'node_modules'))
await build({
  entryPoints: ['scripts/serve.ts'],
  absWorkingDir: source,
  outfile: join(work, 'serve.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  minify: true,
  legalComments: 'eof',
  banner: { js: REQUIRE },
})
await writeFile(join(HERE, 'program.mjs.gz'), gzipSync(await readFile(join(work, 'serve.mjs')), { level: 9 }))
await cp(join(source, 'wrangler-like.config.json'), join(HERE, 'config.json'))

const url = `http://127.0.0.1:${PORT}`
const config = ['--config', join(HERE, 'config.json'), '--data', join(work, 'data')]
const server = spawn(
  process.execPath,
  ['--disable-warning=ExperimentalWarning', join(work, 'serve.mjs'), ...config, '--port', String(PORT)],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
for await (const line of createInterface({ input: server.stdout })) if (line.startsWith('Listening')) break
for (let number = 1; number <= COUNT; number++) await publishFlight(url, number)
const removed = await fetch(`${url}/api/v1/admin/notification/flight@3`, { method: 'DELETE' })
if (!removed.ok) throw new Error(await removed.text())
const lines = await readLines(`${url}/api/v1/watch?event=flight&from_id=1`)
await writeFile(join(HERE, 'expected.json'), `${JSON.stringify({ commit, lines }, undefined, 2)}\n`)
server.kill('SIGTERM')
await once(server, 'exit')
await rm(join(HERE, 'data'), { recursive: true, force: true })
await cp(join(work, 'data'), join(HERE, 'data'), { recursive: true })
await rm(work, { recursive: true })
