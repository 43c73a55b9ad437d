/**
 * One user with a thousand listeners, at a service as `npm start` runs it.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { Agent, request, type ClientRequest } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { startServer, temporaryFolder } from '../support/server.ts'
import { CANARY } from '../support/tokens.ts'
import { eventually } from '../support/waiting.ts'

const STREAMS = 1_000
const TOKEN = `${CANARY}-one-user`

const CONFIG = {
  ...configFile,
  vars: {
    ...configFile.vars,
    store: 'embedded:memory',
    identity: {
      providers: [{ kind: 'tokens', tokens: [{ username: 'joe', realm: 'local', secretEnv: 'JOE_TOKEN' }] }],
    },
    policy: { open: ['flight'], rules: [{ realm: 'local', publish: ['flight'], listen: ['flight'] }] },
  },
}

/** A stream, as far as it has come. */
interface Opened {
  readonly asked: ClientRequest
  status: number | undefined
  text: string
}

function open(url: string, agent: Agent): Opened {
  const asked = request(`${url}/api/v1/watch?event=flight`, {
    agent,
    headers: { authorization: `Bearer ${TOKEN}` },
  })
  const opened: Opened = { asked, status: undefined, text: '' }
  asked.on('response', (response) => {
    opened.status = response.statusCode
    response.setEncoding('utf8').on('data', (piece: string) => (opened.text += piece))
    response.on('error', () => undefined)
  })
  asked.on('error', () => undefined)
  asked.end()
  return opened
}

describe('one user of a running service', { timeout: 120_000 }, () => {
  it('opens a thousand streams at once, and every one of them gets what is published', async (context) => {
    const file = join(await temporaryFolder(context), 'config.json')
    await writeFile(file, JSON.stringify(CONFIG))
    const server = await startServer({
      arguments: ['--config', file],
      environment: { JOE_TOKEN: TOKEN },
    })
    const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
    const streams = Array.from({ length: STREAMS }, () => open(server.url, agent))
    const having = (part: string): number => streams.filter(({ text }) => text.includes(part)).length
    try {
      await eventually('all streams are answered', () => streams.every(({ status }) => status !== undefined))
      assert.deepEqual([...new Set(streams.map(({ status }) => status))], [200], streams[0]?.text)
      await eventually('all streams have begun', () => having('connection_established') === STREAMS)
      const identifier = { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ1' }
      const published = await fetch(`${server.url}/api/v1/notification`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify({ event_type: 'flight', identifier, payload: 'Landed' }),
      })
      assert.equal(published.status, 200, await published.text())
      await eventually('all streams have it', () => having('"id":"flight@1"') === STREAMS)
    } finally {
      for (const { asked } of streams) asked.destroy()
      agent.destroy()
      await server.stop()
    }
  })
})
