import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ERRORS } from '#shared/errors.ts'
import { staleFiles } from '../../../scripts/generate.ts'
import { commandLineText } from '../../../scripts/generate/command_line.ts'
import { errorCodesText } from '../../../scripts/generate/error_codes.ts'
import { generatedDocument, table } from '../../../scripts/generate/markdown.ts'
import { metricsText } from '../../../scripts/generate/metrics.ts'

describe('generated references', () => {
  it('are what the code makes now (npm run generate writes them)', async () => {
    assert.deepEqual(await staleFiles(), [])
  })

  it('name every error code with its status and the name that clients of 2.x read', async () => {
    const text = await errorCodesText()
    for (const [code, { status }] of Object.entries(ERRORS))
      assert.match(text, new RegExp(`^\\| \`${code}\` \\| \`[A-Z_]+\` \\| ${status} \\|`, 'm'))
    assert.ok(text.includes('| `ERR_UNKNOWN_EVENT` | `UNKNOWN_EVENT_TYPE` | 400 |'))
  })

  it('name every command, what belongs to it alone, and options of all commands once', () => {
    const text = commandLineText()
    for (const command of ['listen', 'notify', 'config push', 'admin wipe'])
      assert.ok(text.includes(`\n### ${command}\n`), command)
    assert.ok(text.includes('| `-D, --dir <folder>` | folder of the files; required |  |'))
    assert.ok(text.includes('(`stop`, `continue`) | `stop` |'))
    assert.equal(text.match(/-H, --host <host>/g)?.length, 1)
    assert.doesNotMatch(text, /--test/)
  })

  it('name metrics with their type and labels, also those without a value', async () => {
    const text = await metricsText()
    assert.ok(text.includes('| `aviso_http_requests` | counter | `route`, `method`, `status_code` |'))
    assert.ok(text.includes('| `aviso_build` | info | `version` |'))
    const [everywhere = '', monitoring = ''] = text.split('## The monitoring service')
    assert.ok(everywhere.includes('`aviso_hub_up`') && !monitoring.includes('`aviso_hub_up`'))
    assert.ok(monitoring.includes('`aviso_etcd_keys`') && !everywhere.includes('`aviso_etcd_keys`'))
  })
})

describe('table', () => {
  it('keeps a cell in its column and on its line, and shows angle brackets outside code', () => {
    assert.equal(
      table(['a', 'b'], [['x|y', 'env.<name> and\n`<code>`']]),
      '| a | b |\n| --- | --- |\n| x\\|y | env.&lt;name> and `<code>` |',
    )
  })

  it('is empty without rows', () => {
    assert.equal(table(['a'], []), '')
  })
})

describe('generatedDocument', () => {
  it('says where its text is made', () => {
    const text = generatedDocument('Title', 'the code', ['part'])
    assert.match(text, /^# Title\n\n<!-- Made from the code by `npm run generate`.*-->\n\npart\n$/)
  })
})
