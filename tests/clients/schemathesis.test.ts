/**
 * The document of the API in the hands of a stranger: schemathesis reads it, makes requests that it allows and requests that it forbids, and
 * looks for answers that it does not describe.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { loadConfig, SERVICE_NAMES } from '#services/system/settings.ts'
import type { System } from '#services/system/system.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { RunningServer } from '#shared/runtime/runtime.ts'
import { createSecretReader } from '#shared/secret.ts'
import { missing } from '../support/missing.ts'
import { findPythonPackage } from '../support/python_packages.ts'
import { temporaryFolder } from '../support/server.ts'
import { startTestSystem } from '../support/system.ts'

const TOOL = { name: 'schemathesis-4.32.5', requirements: ['schemathesis==4.32.5'] }
const skip = await missing(() => findPythonPackage(TOOL))

const TOKEN = '0123456789abcdef0123456789abcdef'
/** Streams end by themselves, because the tool waits for the end of each answer. */
const STREAM_SECONDS = 0.03
/**
 * All checks but three. Data that the document allows is refused where it names an event type that this configuration does not have. The other
 * two follow links between operations, which the document does not have.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
]
/** The same requests in each run, as many as half a minute takes. */
const OPTIONS = `--checks ${CHECKS.join()} --phases examples,coverage,fuzzing --max-examples 8
  --generation-deterministic --no-shrink --warnings off --no-color`.split(/\s+/)
/** Routes that wait, apart from those that compute: the two runs share the processors. */
const WAITING = 'watch|replay|live|poll'

/** Folder of `schemathesis_hooks.py`. */
const HOOKS = fileURLToPath(new URL('.', import.meta.url))

/** Requests carry the token; a poll does not wait. */
const SETTINGS = `hooks = "schemathesis_hooks"
continue-on-failure = true
request-timeout = 20
[headers]
Authorization = "Bearer ${TOKEN}"
[[operations]]
include-name = "GET /api/v1/notifications/poll"
[operations.parameters]
"query.wait" = 0
`

async function startWhole(): Promise<{ readonly system: System; readonly server: RunningServer }> {
  const { workers, vars, ...file } = configFile
  const text = JSON.stringify({
    ...file,
    vars: {
      ...vars,
      identity: {
        providers: [
          {
            kind: 'tokens',
            tokens: [{ username: 'operator', realm: 'local', roles: ['operator'], secretEnv: 'TOKEN' }],
          },
        ],
      },
      policy: {
        rules: [{ realm: 'local', listen: 'everything', publish: 'everything', admin: true }],
      },
      // The tool also looks for requests that get in without the token.
      quota: { wrongCredentialsPerAddress: { perSecond: 100_000, burst: 100_000 } },
    },
    workers: {
      ...workers,
      monitoring: { ...workers.monitoring, vars: { telemetryTokenEnv: 'TOKEN' } },
    },
  })
  const config = loadConfig(text, 'test')
  config.workers.auth.vars.streamMaxAgeSeconds = STREAM_SECONDS
  const readSecret = createSecretReader({ TOKEN })
  const system = startTestSystem({ config, services: SERVICE_NAMES, readSecret })
  await system.ready
  const platform = await detectPlatform()
  return { system, server: await platform.serve(system.handle, { host: '127.0.0.1', port: 0 }) }
}

describe('schemathesis', { skip, concurrency: true }, () => {
  let whole: Awaited<ReturnType<typeof startWhole>>
  before(async () => {
    whole = await startWhole()
  })
  after(async () => {
    await whole.server.close()
    await whole.system.close()
  })

  it('finds no answer that is not described among streams and polls', (context) =>
    requireNothingFound(context, ['--include-path-regex', WAITING], { operations: 7, cases: 200 }))

  it('finds no answer that is not described elsewhere', (context) =>
    requireNothingFound(context, ['--exclude-path-regex', WAITING], { operations: 40, cases: 1_500 }))

  /** @param least What must have been tried at least. */
  async function requireNothingFound(
    context: TestContext,
    selection: readonly string[],
    least: { readonly operations: number; readonly cases: number },
  ): Promise<void> {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'schemathesis.toml'), SETTINGS)
    const bin = await findPythonPackage(TOOL)
    const argv = [
      join(bin, 'st'),
      'run',
      // Readers of 3.2 look into streams, too.
      `${whole.server.url}/openapi.json?version=3.2`,
      ...OPTIONS,
      ...selection,
    ]
    const { code, output } = await run(join(bin, 'python'), argv, folder)
    const [, operations = '0'] = /Operations:\s+(\d+) selected/.exec(output) ?? []
    const cases = [...output.matchAll(/(\d+) generated/g)].map(([, number]) => Number(number))
    context.diagnostic(`${operations} operations, ${cases.join('+')} requests`)
    assert.ok(code === 0 && output.includes('No issues found'), output)
    assert.ok(Number(operations) >= least.operations, output)
    assert.ok(
      cases.every((number) => number >= least.cases),
      output,
    )
  }
})

interface Ran {
  readonly code: number | null
  readonly output: string
}

function run(program: string, argv: readonly string[], folder: string): Promise<Ran> {
  const child = spawn(program, argv, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONPATH: HOOKS, PYTHONDONTWRITEBYTECODE: '1' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}
