/** Scripts and tests on the Node that a machine already has, which reads TypeScript with the help of tsx. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findOldNode } from '../support/old_node.ts'
import { temporaryFolder } from '../support/server.ts'
import {
  answer,
  notificationFrame,
  openStream,
  scriptedService,
  type TestContext,
} from '../unit/scripts/aviso/fixture.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FLIGHT = 'event=flight,country=Italy,airport=FCO,date=20260810,number=AZ204'
const node = await findOldNode()
const TSX = ['--import', 'tsx']

interface RunOptions {
  /** Ends it once it has printed this. */
  readonly until?: string
  readonly environment?: Readonly<Record<string, string>>
  /** What reads the script. Default: tsx. */
  readonly loader?: readonly string[]
}

/** Runs `node --import tsx …` to its end. */
async function run(
  context: TestContext,
  argv: readonly string[],
  { until, environment = {}, loader = TSX }: RunOptions = {},
) {
  const home = await temporaryFolder(context)
  const child = spawn(node.binary, [...loader, ...argv], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: home, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  context.after(() => void child.kill('SIGKILL'))
  let output = ''
  let isStopped = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (isStopped || until === undefined || !output.includes(until)) return
      // A second signal would not wait.
      isStopped = true
      child.kill('SIGTERM')
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

/** A service that sends one notification to each listener. */
function serviceWithOne(context: TestContext) {
  return scriptedService(context, [
    (response, { url }) => {
      if (url.pathname !== '/api/v1/watch') return answer(response, 404, { message: 'Not found' })
      openStream(response)
      response.write(notificationFrame(1))
    },
  ])
}

describe(`tsx on Node ${node.version}`, () => {
  it('runs the client: --help and key', async (context) => {
    const help = await run(context, ['scripts/aviso.ts', '--help'])
    assert.equal(help.code, 0, help.output)
    assert.match(help.output, /^Usage: aviso /)
    const key = await run(context, ['scripts/aviso.ts', 'key', FLIGHT])
    assert.equal(key.output, '/tmp/aviso/flight/20260810/italy/FCO/AZ204\n')
    assert.equal(key.code, 0)
  })

  it('runs the client: listen', async (context) => {
    const service = await serviceWithOne(context)
    const folder = await temporaryFolder(context)
    const file = join(folder, 'listener.yaml')
    await writeFile(
      file,
      'listeners: [{event: flight, request: {country: Italy}, triggers: [{type: command, command: "echo got ${request.number}"}]}]',
    )
    const { code, output } = await run(context, ['scripts/aviso.ts', 'listen', file, '--state', folder], {
      until: 'got AZ1',
      environment: { AVISO_BASE_URL: service.url },
    })
    assert.equal(code, 0, output)
    assert.equal(output.includes('This Node cannot lock positions'), node.version.startsWith('20.'), output)
  })

  it('runs the listener in one file, without tsx', async (context) => {
    const service = await serviceWithOne(context)
    const url = `${service.url}/api/v1/watch?event=flight`
    const { output } = await run(context, ['scripts/listen.mjs', url], {
      until: '"position":"e.1.0"',
      loader: [],
    })
    assert.match(output, /"id":"flight@1"/)
  })

  it('runs the check of import directions', async (context) => {
    const { code, output } = await run(context, ['scripts/check_imports.ts'])
    assert.equal(output, 'imports: no violation\n')
    assert.equal(code, 0)
  })

  it('runs unit tests', async (context) => {
    const tests = [
      'tests/unit/shared/client/notification.test.ts',
      'tests/unit/shared/notification/schema.test.ts',
    ]
    const { code, output } = await run(context, ['--test', '--test-reporter=spec', ...tests])
    assert.equal(code, 0, output)
    assert.match(output, /^ℹ pass [1-9]/m)
    assert.match(output, /^ℹ fail 0$/m)
  })

  it(
    'refuses the services where Node is too old for them',
    { skip: !node.version.startsWith('20.') },
    async (context) => {
      const { code, output } = await run(context, [
        'scripts/serve.ts',
        '--port',
        '0',
        '--store',
        'embedded:memory',
      ])
      assert.equal(code, 2)
      assert.equal(
        output,
        `error: Node ${node.version} is too old for the services: they need 22.18 or newer. The client runs on it\n`,
      )
    },
  )
})
