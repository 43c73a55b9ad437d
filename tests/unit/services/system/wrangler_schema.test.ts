/** The entries of the shipped file against the JSON schema of wrangler itself. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'

import shipped from '../../../../wrangler-like.config.json' with { type: 'json' }
import { readConfig } from '#services/system/settings.ts'
import { missing } from '../../../support/missing.ts'
import { findPackage } from '../../../../scripts/npm_package.ts'

const skip = await missing(() => findPackage('wrangler'))

/** Everything that an entry may have. */
const FULL = {
  name: 'aviso-rest',
  main: 'services/rest/worker.ts',
  routes: ['/'],
  compatibility_date: '2026-01-01',
  compatibility_flags: ['enable_request_signal'],
  dev: { port: 8081 },
  vars: { strictIds: true, skips: { country: ['Italy'] } },
  services: [{ binding: 'AUTH', service: 'aviso-auth' }],
  durable_objects: { bindings: [{ name: 'AVISO_HOST', class_name: 'AvisoHost', script_name: 'aviso-auth' }] },
  migrations: [{ tag: 'v1', new_sqlite_classes: ['AvisoHost'] }],
  limits: { cpu_ms: 50 },
  observability: { enabled: true, head_sampling_rate: 0.1 },
  env: { test: { routes: ['/test'], vars: { strictIds: false } } },
}

describe('an entry of workers', { skip }, () => {
  it("is valid by wrangler's own schema", async () => {
    const text = await readFile(join(await findPackage('wrangler'), 'config-schema.json'), 'utf8')
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
    const valid = ajv.compile(JSON.parse(text) as object)
    const { flaws } = readConfig(
      JSON.stringify({ ...shipped, workers: { ...shipped.workers, rest: FULL } }),
      'file.json',
    )
    assert.deepEqual(flaws, [])
    for (const entry of [...Object.values(shipped.workers), FULL])
      assert.ok(valid(entry), `${entry.name}: ${JSON.stringify(valid.errors)}`)
    // The schema can refuse: this is how version 0.1 wrote it.
    assert.ok(!valid({ ...shipped.workers.admin, triggers: { crons: { compact: '0 * * * *' } } }))
  })
})
