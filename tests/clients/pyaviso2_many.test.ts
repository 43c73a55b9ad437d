/**
 * Many listeners of one user with the official 2.x client (pyaviso 2.4.2), at a service as `npm start` runs it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { flight } from '../support/notifications.ts'
import { eventually } from '../support/waiting.ts'
import { findClient, startClient } from './real_client.ts'

const client = await findClient('pyaviso2')
const MANY = fileURLToPath(new URL('many.py', import.meta.url))
const COUNT = 100
const FIRST = 1000
const TOKEN = 'the-token-of-one-user'

/** Numbers go on from another server, and one user has a token. */
const CONFIG = {
  ...configFile,
  vars: {
    ...configFile.vars,
    firstNumbers: { flight: FIRST },
    identity: {
      providers: [{ kind: 'tokens', tokens: [{ username: 'joe', realm: 'local', secretEnv: 'JOE_TOKEN' }] }],
    },
    policy: { rules: [{ realm: 'local', listen: ['flight'], publish: ['flight'] }] },
  },
}

async function publish(url: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ event_type: 'flight', identifier: flight('AZ1') }),
  })
  assert.equal(response.status, 200)
  return ((await response.json()) as { sequence: string }).sequence
}

function areOpen(url: string): Promise<void> {
  return eventually(`${COUNT} streams are open`, async () => {
    const { streams } = (await (await fetch(`${url}/ready`)).json()) as { streams: number }
    return streams === COUNT
  })
}

describe('pyaviso 2.x, a hundred listeners of one user', { skip: client.skip, timeout: 120_000 }, () => {
  it('all get a stream, go on through a restart, and count on from the numbers of another server', async (context) => {
    const folder = await temporaryFolder(context)
    const file = join(folder, 'config.json')
    await writeFile(file, JSON.stringify(CONFIG))
    const start = (port: number): Promise<TestServer> =>
      startServer({
        port,
        arguments: ['--config', file, '--store', 'embedded:', '--data', join(folder, 'data')],
        environment: { JOE_TOKEN: TOKEN },
      })
    let server = await start(0)
    const { url } = server
    const keywords = JSON.stringify({ event_type: 'flight' })
    const listeners = startClient(
      client.command('python'),
      [MANY, url, TOKEN, String(COUNT), '2', keywords],
      {
        home: folder,
      },
    )
    try {
      await areOpen(url)
      assert.equal(await publish(url), String(FIRST))
      await listeners.line(`${FIRST} ${COUNT}`)
      await server.stop()
      server = await start(Number(new URL(url).port))
      assert.equal(await publish(url), String(FIRST + 1))
      await listeners.line(`${FIRST + 1} ${COUNT}`)
      const { lines } = await listeners.ended()
      assert.deepEqual(lines, [`${FIRST} ${COUNT}`, `${FIRST + 1} ${COUNT}`, 'end'])
    } finally {
      await listeners.stop()
      await server.stop()
    }
  })
})
