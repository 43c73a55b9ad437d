import assert from 'node:assert/strict'
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'

import { checkStoreTls, openStoreTls } from '../../../../scripts/serve/store_tls.ts'
import { readConfig } from '#services/system/settings.ts'
import { createAuthority, opensslMissing, type TestAuthority } from '../../../support/certificates.ts'

const DAY_MS = 86_400_000

describe('checkStoreTls() and openStoreTls()', { skip: await opensslMissing() }, () => {
  let folder: string
  let authority: TestAuthority
  const own = { certificate: '', key: '' }
  const other = { certificate: '', key: '' }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-store-tls-'))
    authority = await createAuthority(folder)
    Object.assign(own, await authority.issue('own'))
    Object.assign(other, await authority.issue('other'))
  })
  after(() => rm(folder, { recursive: true }))

  /** What is wrong with the settings. */
  const problems = (storeTls: object, now = Date.now()): readonly string[] => {
    const file = { name: 'aviso', vars: { storeTls }, services: SERVICES }
    const { settings, flaws } = readConfig(JSON.stringify(file), 'test.json')
    if (settings === undefined || flaws.length > 0) return flaws.map(({ reason }) => reason)
    return checkStoreTls(settings.vars, now)
  }
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }

  it('takes an authority, a certificate and its key', () => {
    assert.deepEqual(problems({ authority: authority.file, ...own }), [])
    assert.deepEqual(problems({ authority: authority.file }), [])
    assert.deepEqual(problems(own), [])
  })

  it('tells each problem with its setting, its file and what to do', async () => {
    const { certificate, key } = own
    const readable = join(folder, 'readable.key')
    await copyFile(key, readable)
    await chmod(readable, 0o644)
    const text = await write('text.pem', 'no certificate')
    const broken = await write('broken.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const rows: readonly (readonly [storeTls: object, problem: RegExp])[] = [
      [{ authority: join(folder, 'nope.pem') }, /^vars\.storeTls\.authority: ".*nope\.pem" is not there$/],
      [{ authority: folder }, /^vars\.storeTls\.authority: ".*" cannot be read by this user$/],
      [{ authority: text }, /authority: ".*text\.pem" is no PEM file: it has no line/],
      [{ authority: broken }, /authority: ".*broken\.pem" holds no certificate that can be read/],
      [{ certificate: broken, key }, /certificate: ".*broken\.pem" holds no certificate/],
      [
        { certificate, key: readable },
        /key: everybody on this machine may read ".*readable\.key": chmod 600 it/,
      ],
      [{ certificate, key: certificate }, /key: /],
      [{ certificate, key: other.key }, /key: the key in ".*other\.key" is not that of .*own\.pem"/],
    ]
    for (const [storeTls, problem] of rows) assert.match(problems(storeTls).join('\n'), problem)
  })

  it('tells a certificate that has expired, or is not valid yet', () => {
    assert.match(
      problems(own, Date.now() + 3 * DAY_MS).join(),
      /^vars\.storeTls\.certificate: the certificate in ".*own\.pem" expired on .* GMT$/,
    )
    assert.match(problems(own, Date.now() - DAY_MS).join(), /is valid from .* on, which is in the future/)
  })

  it('wants certificate and key together', () => {
    assert.match(problems({ certificate: own.certificate }).join(), /certificate and key together/)
  })

  it('takes what has changed, and keeps what it had where that cannot be used', async () => {
    const certificate = join(folder, 'changing.pem')
    const key = join(folder, 'changing.key')
    const put = async (files: typeof own): Promise<void> => {
      await copyFile(files.certificate, certificate)
      await copyFile(files.key, key)
      await chmod(key, 0o600)
    }
    await put(own)
    const opened = openStoreTls({ certificate, key }, Date.now)
    const first = opened.current()
    const refused: string[] = []
    const readAgain = (): boolean => opened.readAgain((problem) => refused.push(problem))
    assert.equal(readAgain(), false)
    assert.equal(opened.current(), first)
    await copyFile(other.certificate, certificate)
    assert.equal(readAgain(), false)
    assert.match(refused.join(), /is not that of the certificate/)
    assert.equal(opened.current(), first)
    await put(other)
    assert.equal(readAgain(), true)
    assert.equal(opened.current().certificate, await readFile(other.certificate, 'utf8'))
  })

  it('begins with nothing where a file cannot be used', () => {
    assert.throws(() => openStoreTls({ authority: join(folder, 'nope.pem') }, Date.now), {
      code: 'ERR_CONFIG',
      message: /vars\.storeTls\.authority: .* is not there/,
    })
  })
})

const SERVICES = {
  rest: { name: 'aviso-rest', main: 'services/rest/handler.ts', routes: ['/'] },
  auth: { name: 'aviso-auth', main: 'services/auth/handler.ts', routes: ['/v3/*'] },
}
