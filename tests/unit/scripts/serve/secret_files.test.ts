import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { createSecretFiles, type SecretFiles } from '../../../../scripts/serve/secret_files.ts'
import { CANARY } from '../../../support/tokens.ts'

/** Files in memory. */
function create(
  environment: Readonly<Record<string, string>>,
  files: Map<string, string>,
): { readonly secrets: SecretFiles; readonly files: Map<string, string> } {
  const readText = async (path: string): Promise<string> => {
    const text = files.get(path)
    if (text === undefined) throw new Error(`ENOENT ${path}`)
    return text
  }
  return { secrets: createSecretFiles(environment, readText), files }
}

const PATH = '/run/secrets/ops'

describe('createSecretFiles()', () => {
  it('reads what NAME_FILE names, without the newline at the end, and leaves the rest of the environment', async () => {
    const { secrets } = create({ OPS_FILE: PATH, OTHER: 'kept' }, new Map([[PATH, 'value\n']]))
    assert.deepEqual(await secrets.read(['OPS', 'OTHER', 'MISSING']), ['OPS'])
    assert.deepEqual([secrets.environment['OPS'], secrets.environment['OTHER']], ['value', 'kept'])
    assert.equal(secrets.environment['MISSING'], undefined)
  })

  it('reads no file that holds no secret of the configuration', async () => {
    const { secrets } = create({ HISTORY_FILE: '/nosuch', OPS: 'value' }, new Map())
    assert.deepEqual(await secrets.read(['OPS']), [])
  })

  it('reads the files of these secrets alone: a problem names the variable that has it', async () => {
    const given = { A_FILE: '/nosuch', B_FILE: '/nosuch', C_FILE: PATH }
    const { secrets } = create(given, new Map([[PATH, 'value']]))
    for (const name of ['A', 'B'])
      await assert.rejects(secrets.read([name]), {
        message: `Cannot read "/nosuch", the file that ${name}_FILE names`,
      })
    assert.deepEqual(await secrets.read(['C']), ['C'])
    assert.equal(secrets.environment['C'], 'value')
  })

  it('follows a file that is replaced', async () => {
    const { secrets, files } = create({ OPS_FILE: PATH }, new Map([[PATH, 'old']]))
    await secrets.read(['OPS'])
    const { environment } = secrets
    assert.deepEqual(await secrets.read(['OPS']), [])
    files.set(PATH, 'new')
    assert.deepEqual(await secrets.read(['OPS']), ['OPS'])
    assert.equal(environment['OPS'], 'new')
  })

  it('leaves the others their new values where one cannot be used', async () => {
    const { secrets, files } = create(
      { OPS_FILE: PATH, B_FILE: '/b', LATER_FILE: '/later' },
      new Map([
        [PATH, 'old'],
        ['/b', 'old'],
      ]),
    )
    await secrets.read(['OPS', 'B'])
    files.set(PATH, 'new')
    files.delete('/b')
    const refused: string[] = []
    const readAgain = (more: readonly string[] = []): Promise<readonly string[]> =>
      secrets.readAgain(more, ({ message }) => refused.push(message))
    assert.deepEqual(await readAgain(), ['OPS'])
    assert.deepEqual([secrets.environment['OPS'], secrets.environment['B']], ['new', 'old'])
    assert.deepEqual(refused, ['Cannot read "/b", the file that B_FILE names'])
    files.set('/b', 'new')
    files.set('/later', 'a')
    assert.deepEqual(await readAgain(['LATER']), ['B', 'LATER'])
    files.set('/later', 'b')
    assert.deepEqual(await readAgain(), ['LATER'], 'it is followed from then on')
    assert.equal(refused.length, 1)
  })

  it('says what is wrong, shows no secret, and keeps what it had', async () => {
    const both = create({ OPS: CANARY, OPS_FILE: PATH }, new Map([[PATH, CANARY]]))
    await assert.rejects(both.secrets.read(['OPS']), { code: 'ERR_CONFIG', message: /OPS or OPS_FILE$/ })
    const { secrets, files } = create(
      { OPS_FILE: PATH, B_FILE: '/b' },
      new Map([
        [PATH, 'old'],
        ['/b', 'old'],
      ]),
    )
    await secrets.read(['OPS', 'B'])
    files.set(PATH, 'new')
    for (const [text, message] of [
      [undefined, /^Cannot read "\/b", the file that B_FILE names$/],
      [' \n', /^The file "\/b", which B_FILE names, is empty$/],
      [CANARY.repeat(1000), /^The file "\/b", which B_FILE names, is longer than 8192 characters$/],
    ] as const) {
      if (text === undefined) files.delete('/b')
      else files.set('/b', text)
      await assert.rejects(secrets.read(['OPS', 'B']), { code: 'ERR_CONFIG', message })
      assert.deepEqual([secrets.environment['OPS'], secrets.environment['B']], ['old', 'old'])
    }
  })
})
