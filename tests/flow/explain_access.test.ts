/**
 * `aviso config explain-access` as a program: what it prints, and its exit codes for scripts.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import { runClient } from '../support/client_program.ts'
import { temporaryFolder } from '../support/server.ts'

const POLICY = fileURLToPath(
  new URL('../../scripts/examples/policies/provider_per_event_type.json', import.meta.url),
)

describe('aviso config explain-access', () => {
  it('answers a script with its exit code, and a person with the rule', async (context) => {
    const home = await temporaryFolder(context)
    // The file that the services read where nothing else is named.
    await copyFile(POLICY, join(home, 'wrangler-like.config.json'))
    const ask = (...words: readonly string[]): ReturnType<typeof runClient> =>
      runClient(['config', 'explain-access', ...words], { home })
    const yes = await ask('tower', 'publish', 'flight', 'country=Italy')
    assert.deepEqual(yes, { code: 0, stdout: 'yes: vars.policy.rules.0.publish.0\n', stderr: '' })
    const no = await ask('tower', 'publish', 'mars', '--json')
    assert.deepEqual([no.code, no.stderr], [1, ''])
    assert.equal((JSON.parse(no.stdout) as { allowed: boolean }).allowed, false)
    const all = await ask('--anonymous')
    assert.match(all.stdout, /listen +flight +all +vars\.policy\.public\.listen\.0/)
    assert.equal(all.code, 0)
    const wrong = await ask('tower', 'publsh', 'mars')
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /did you mean "publish"\?/)
    const named = await ask('tower', 'administer', '--services-config', 'other.json')
    assert.match(named.stderr, /Cannot read the configuration file "other\.json"/)
    const empty = await temporaryFolder(context)
    const builtIn = await runClient(['config', 'explain-access', 'tower'], { home: empty })
    assert.deepEqual([builtIn.code, builtIn.stderr], [0, ''])
    assert.match(builtIn.stdout, /^tower.*, by the built-in wrangler-like\.config\.json$/m)
  })
})
