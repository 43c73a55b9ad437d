import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import { loadConfig } from '#services/system/settings.ts'
import { ClientError } from '#shared/client/client_error.ts'
import { importServices } from '../../../../scripts/aviso/import_config.ts'
import { temporaryFolder } from '../../../support/server.ts'

const THEIRS = `
application: { host: 127.0.0.1, port: 8000, static_files_path: x }
auth: { enabled: true, mode: trusted_proxy, jwt_secret: hidden-hidden-hidden-hidden-hidden, admin_roles: { r: [a] } }
notification_schema: { a: { topic: { base: a, key_order: [b] }, identifier: { b: { type: StringHandler } } } }
`

async function run(folder: string, files: readonly string[]): Promise<{ printed: string; log: string }> {
  const [printed, log]: [string[], string[]] = [[], []]
  await importServices(
    { files: files.map((name) => join(folder, name)), output: join(folder, 'ours.json') },
    {
      readText: (path) => readFile(path, 'utf8').catch(() => undefined),
      environment: {},
      home: folder,
      json: false,
      output: {
        log: (level, text) => void log.push(`${level} ${text}`),
        result: (text) => void printed.push(text),
      },
    },
  )
  return { printed: printed.join('\n'), log: log.join('\n') }
}

describe('importServices()', () => {
  it('writes a configuration and a schema, and says what is left to do', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'server.yaml'), THEIRS)
    const { printed, log } = await run(folder, ['server.yaml'])
    assert.match(printed, /ours\.json/)
    assert.match(log, /static_files_path/)
    assert.match(log, /secret AVISOSERVER_AUTH__JWT_SECRET .*not copied/)
    const text = await readFile(join(folder, 'ours.json'), 'utf8')
    assert.doesNotMatch(text, /hidden/)
    const { vars } = loadConfig(text, 'ours.json')
    assert.deepEqual(vars.schemas, [join(folder, 'notification_schema.json')])
    assert.match(await readFile(join(folder, 'notification_schema.json'), 'utf8'), /"key_order"/)
  })

  it('writes nothing for a file that cannot be taken over, and over no file', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'bad.yaml'), 'notification_backend: { kind: kafka }')
    await writeFile(join(folder, 'other.yaml'), 'listeners: []')
    await writeFile(join(folder, 'server.yaml'), THEIRS)
    for (const [file, reason] of [
      ['bad.yaml', /kafka/],
      ['other.yaml', /no configuration of aviso-server 2\.x/],
      ['gone.yaml', /Cannot read/],
    ] as const)
      await assert.rejects(
        run(folder, [file]),
        (error) => error instanceof ClientError && reason.test(error.message),
      )
    assert.deepEqual((await readdir(folder)).toSorted(), ['bad.yaml', 'other.yaml', 'server.yaml'])
    await writeFile(join(folder, 'ours.json'), 'mine')
    await assert.rejects(
      run(folder, ['server.yaml']),
      /is there already: move it, or name another file with --output/,
    )
    assert.equal(await readFile(join(folder, 'ours.json'), 'utf8'), 'mine')
  })
})
