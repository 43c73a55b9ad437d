import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
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

async function run(
  folder: string,
  files: readonly string[],
  target = join(folder, 'ours.json'),
): Promise<{ printed: string; log: string }> {
  const [printed, log]: [string[], string[]] = [[], []]
  await importServices(
    { files: files.map((name) => join(folder, name)), output: target },
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

  it('writes nothing with which the services would not start', async (context) => {
    const folder = await temporaryFolder(context)
    for (const [from, to, reason] of [
      ['key_order: [b]', 'key_order: [b, gone]', /^\S*server\.yaml: .*gone/],
      ['StringHandler', 'StrnigHandler', /^\S*server\.yaml: .*StrnigHandler/],
      ['port: 8000', 'port: 80000', /^\S*server\.yaml: dev\.port: 80000 is too large: at most 65535$/],
    ] as const) {
      await writeFile(join(folder, 'server.yaml'), THEIRS.replace(from, to))
      await assert.rejects(run(folder, ['server.yaml']), (error) => {
        assert.ok(error instanceof ClientError)
        assert.match(error.message, reason)
        return error.exitCode === 2
      })
    }
    assert.deepEqual(await readdir(folder), ['server.yaml'])
  })

  it('leaves no configuration behind that names the schema of another', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'server.yaml'), THEIRS)
    await writeFile(join(folder, 'notification_schema.json'), 'mine')
    await assert.rejects(
      run(folder, ['server.yaml']),
      /notification_schema\.json is there already: move it, or name a file in another folder with --output/,
    )
    assert.deepEqual((await readdir(folder)).toSorted(), ['notification_schema.json', 'server.yaml'])
    assert.equal(await readFile(join(folder, 'notification_schema.json'), 'utf8'), 'mine')
  })

  it('names the schema so that it is found from any working folder', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(join(folder, 'server.yaml'), THEIRS)
    const output = relative('.', join(folder, 'ours.json'))
    assert.ok(!isAbsolute(output))
    const { printed } = await run(folder, ['server.yaml'], output)
    assert.ok(printed.endsWith(`--config ${join(folder, 'ours.json')}`), printed)
    const { vars } = loadConfig(await readFile(join(folder, 'ours.json'), 'utf8'), 'ours.json')
    assert.deepEqual(vars.schemas, [join(folder, 'notification_schema.json')])
  })
})
