/**
 * `aviso explain`: a child process against a real service.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { clientSite } from '../support/client_program.ts'

describe('aviso explain', () => {
  const site = clientSite()
  const { aviso } = site
  before(async () => {
    for (const number of ['A1', 'A1', 'B2']) {
      const params = `event=flight,country=Italy,airport=FCO,date=20260810,number=${number},payload=Landed`
      assert.equal((await aviso('notify', params)).code, 0)
    }
  })

  async function file(text: string): Promise<string> {
    const path = join(site.home, 'listener.yaml')
    await writeFile(path, text)
    return path
  }

  it('names the one field that a file misses by, and what there is instead', async () => {
    const path = await file(`
listeners:
  - event: flight
    request: { country: Italy, number: Z9 }
    triggers: [{ type: echo }]
`)
    const { code, stdout } = await aviso('explain', path)
    assert.equal(code, 0)
    assert.match(stdout, /^flight country=Italy number=Z9$/m)
    assert.match(stdout, /^ {2}0 of 3 notifications matched$/m)
    assert.match(stdout, /^ {2}number alone excluded 3: you ask Z9; there are A1 \(2\), B2 \(1\)$/m)
  })

  it('says what triggers would do with the newest match, and does not do it', async () => {
    const made = join(site.home, 'made')
    const path = await file(`
listeners:
  - name: first
    event: flight
    request: { number: A1 }
    triggers:
      - type: command
        command: touch ${made} \${request.number}
  - event: flight
    request: { colour: red }
    triggers: [{ type: echo }]
`)
    const { code, stdout } = await aviso('explain', path)
    assert.equal(code, 0)
    assert.match(stdout, /^first flight number=A1$/m)
    assert.match(stdout, /^ {2}2 of 3 notifications matched: first flight@1 \(.*\), last flight@2 \(.*\)$/m)
    assert.match(stdout, /^ {2}with flight@2, command would run: touch .* A1/m)
    assert.match(stdout, /^ {2}\d{4}-\d\d-\d\dT\d\d:00 +2 +3 +#+\.+$/m)
    assert.match(stdout, /^ {2}cannot listen: .*colour/m)
    await assert.rejects(access(made))
    const json = JSON.parse((await aviso('explain', path, '--json', '--from', '-1h')).stdout) as {
      readonly listeners: readonly { readonly matched: number; readonly triggers: readonly object[] }[]
    }
    assert.deepEqual([json.listeners[0]?.matched, json.listeners[0]?.triggers.length], [2, 1])
  })

  it('ends with 2 for a date that is none, and with 255 for what the service refuses', async () => {
    const path = await file('listeners: [{ event: flight, request: {}, triggers: [{ type: echo }] }]')
    assert.equal((await aviso('explain', path, '--from', 'soon')).code, 2)
    const late = await aviso('explain', path, '--from', '-90d')
    assert.equal(late.code, 255)
    assert.match(late.stderr, /31 days/)
    assert.equal((await aviso('explain', join(site.home, 'missing.yaml'))).code, 255)
  })
})
