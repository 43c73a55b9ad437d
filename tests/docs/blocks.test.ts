/**
 * Every shell block of every document runs in a fresh clone, with an etcd on the `PATH` and without.
 *
 * What differs from a stranger's terminal: ports are free ones, the home folder is empty, and the clone is installed once: the second pass
 * leaves `npm ci` out, after everything else that was made is removed.
 */

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it } from 'node:test'
import { freePort } from '../../scripts/etcd/member.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { freshClone, strangersPath, type FreshClone } from '../support/fresh_clone.ts'
import { readDocuments } from './documents.ts'
import { readSteps } from './read_document.ts'
import { runSteps, type Site } from './run_document.ts'

const CONFIG = 'wrangler-like.config.json'
/** A port in a document, where commands and their output name one. */
const PORT = /(?<=127\.0\.0\.1:|--port |"port": )\d+/g
const INSTALL = /^npm ci\b[^&\n]*(?:&& )?/gm

const documents = (await readDocuments()).map(({ path, text }) => ({ path, steps: readSteps(text) }))
const runnable = documents.filter(({ steps }) => steps.length > 0)

describe('shell blocks of the documents, in a fresh clone', () => {
  let clone: FreshClone
  let outside: string
  const ports = new Map<string, string>()

  before(async () => {
    clone = await freshClone()
    outside = await mkdtemp(join(tmpdir(), 'aviso-docs-'))
    const config = join(clone.folder, CONFIG)
    const text = await readFile(config, 'utf8')
    const named = [text, ...runnable.flatMap(({ steps }) => steps.map((step) => JSON.stringify(step)))]
    for (const port of new Set(named.join('\n').match(PORT))) ports.set(port, String(await freePort()))
    await writeFile(config, adaptPorts(text))
  })

  after(async () => {
    await clone.close()
    await rm(outside, { recursive: true, force: true })
  })

  function adaptPorts(text: string): string {
    return text.replaceAll(PORT, (port) => ports.get(port) ?? port)
  }

  async function siteOf(name: string, etcd: boolean, isInstalled: boolean) {
    const own = join(outside, name)
    const home = join(own, 'home')
    await mkdir(own)
    const path = await strangersPath(etcd, join(own, 'bin'))
    const adapt = (text: string): string => adaptPorts(isInstalled ? text.replaceAll(INSTALL, '') : text)
    return { home, folder: clone.folder, environment: await strangersEnvironment(path, home), adapt }
  }

  async function strangersEnvironment(path: string, home: string): Promise<Site['environment']> {
    const environment: Record<string, string | undefined> = {
      ...process.env,
      PATH: path,
      HOME: home,
      AVISO_BASE_URL: adaptPorts('http://127.0.0.1:8080'),
    }
    // What npm tells the commands that it runs, and the test runner the files that it runs.
    for (const name of Object.keys(environment))
      if (/^(?:npm_|NODE_|INIT_CWD$|AVISO_ETCD$)/.test(name)) delete environment[name]
    const cache = await outputOf('npm', ['config', 'get', 'cache'])
    return {
      ...environment,
      npm_config_cache: cache.trim(),
      npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
    }
  }

  const passes = [
    { name: 'with etcd on the PATH', etcd: true, isInstalled: false },
    { name: 'without etcd on the PATH', etcd: false, isInstalled: true },
  ]
  for (const { name, etcd, isInstalled } of passes) {
    describe(name, () => {
      let site: Site & { readonly home: string }

      before(async () => {
        await rm(join(clone.folder, '.cache'), { recursive: true, force: true })
        site = await siteOf(etcd ? 'with' : 'without', etcd, isInstalled)
      })

      for (const { path, steps } of runnable) {
        it(path, async () => {
          for (const kept of [join(clone.folder, 'data'), site.home])
            await rm(kept, { recursive: true, force: true })
          await mkdir(site.home)
          await runSteps(steps, site)
        })
      }
    })
  }

  it('are in the README and in a document of each service', () => {
    const paths = runnable.map(({ path }) => path)
    for (const path of [
      'README.md',
      ...['rest', 'auth', 'admin', 'monitoring', 'runs'].map((name) => `services/${name}/README.md`),
    ])
      assert.ok(paths.includes(path), path)
  })
})
