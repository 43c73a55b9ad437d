/** Separate workers in one `wrangler dev`: an operator's module in front calls the others through service bindings, and all share the object. */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { publishFlight, readLines } from '../flow/upgrade/ask.ts'
import { missing } from '../support/missing.ts'
import { findPackage } from '../../scripts/npm_package.ts'
import { temporaryFolder } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'
import { buildWrangler, ROOT, startWranglerDev } from './module_server.ts'

const skip = await missing(() => findPackage('wrangler'))

describe('separate workers in wrangler dev', { skip, timeout: 120_000 }, () => {
  it('publish and listen through service bindings', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(
      join(folder, 'front.mjs'),
      `import rest from ${JSON.stringify(join(ROOT, 'services/rest/worker.ts'))}
export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    return pathname.startsWith('/api/v1/watch') ? env.LISTENING.fetch(request) : rest.fetch(request, env, ctx)
  },
}`,
    )
    const { rest } = configFile.workers
    const front = { ...rest, main: 'front.mjs', services: [{ binding: 'LISTENING', service: 'aviso-auth' }] }
    const file = join(folder, 'aviso.json')
    await writeFile(
      file,
      JSON.stringify({ ...configFile, $schema: undefined, workers: { ...configFile.workers, rest: front } }),
    )
    const { code, output } = await buildWrangler(folder, '--config', file, 'rest', 'auth')
    assert.equal(code, 0, output)
    const configs = ['aviso-rest', 'aviso-auth'].map((name) => join(folder, name, 'wrangler.jsonc'))
    const server = await startWranglerDev(configs, join(folder, 'state'))
    context.after(async () => void (await server.stop()))
    const { url } = server
    await eventually('ready', async () => (await fetch(`${url}/ready`)).status === 200)
    const live = readEvents(await fetch(`${url}/api/v1/watch?event=flight`))
    await live.next()
    for (let number = 1; number <= 3; number++)
      assert.equal(await publishFlight(url, number), `flight@${number}`)
    await live.next(({ data }) => data.includes('flight@3'))
    const told = await readLines(`${url}/api/v1/watch?event=flight&from_id=1`)
    assert.deepEqual(
      told.map(({ id }) => id),
      ['flight@1', 'flight@2', 'flight@3'],
    )
  })
})
