/**
 * The official 2.x client (pyaviso 2.4.2) against event types of a 2.x schema: what it publishes and gets is what its own server takes and
 * gives.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

import { detectPlatform } from '#shared/runtime/detect.ts'
import { withAviso2System, type Aviso2System } from '../support/aviso2_system.ts'
import { temporaryFolder } from '../support/server.ts'
import { findClient, startClient } from './real_client.ts'

const client = await findClient('pyaviso2')
const LISTEN = fileURLToPath(new URL('listen.py', import.meta.url))

const SCHEMA = {
  notification_schema: {
    extreme: {
      topic: { base: 'extremes', key_order: ['region', 'run_time', 'severity', 'place'] },
      identifier: {
        region: { type: 'EnumHandler', values: ['north', 'south'], required: true },
        run_time: { type: 'TimeHandler' },
        severity: { type: 'IntHandler', range: [1, 7] },
        place: { type: 'StringHandler' },
        polygon: { type: 'PolygonHandler', required: true },
      },
      payload: { required: true },
    },
  },
}

interface Door extends Aviso2System {
  /** Lines that a command prints, and its exit code. */
  aviso(
    ...argv: readonly string[]
  ): Promise<{ readonly code: number | null; readonly lines: readonly string[] }>
  /** Number and payload of everything stored that a filter lets through, as the client shows them. */
  listen(filter: object): Promise<readonly string[]>
}

async function withDoor(context: TestContext, use: (door: Door) => Promise<void>): Promise<void> {
  const home = await temporaryFolder(context)
  const platform = await detectPlatform()
  await withAviso2System(
    async (system) => {
      const server = await platform.serve(system.handle, { host: '127.0.0.1', port: 0 })
      try {
        await use({
          ...system,
          aviso: (...argv) =>
            startClient(client.command('aviso'), ['--base-url', server.url, ...argv], { home }).ended(),
          listen: async (filter) => {
            const keywords = { event_type: 'extreme', mode: 'replay_only', start_from: 0, filter }
            const argv = [LISTEN, server.url, JSON.stringify(keywords)]
            return (await startClient(client.command('python'), argv, { home }).ended()).lines
          },
        })
      } finally {
        await server.close()
      }
    },
    [SCHEMA],
  )
}

const SQUARE = '[[1.0,1.0],[1.0,2.0],[2.0,2.0],[2.0,1.0],[1.0,1.0]]'

describe('pyaviso 2.x and a schema of 2.x', { skip: client.skip }, () => {
  it('publishes any value, and finds it by value, by comparison and by place', async (context) => {
    await withDoor(context, async ({ aviso, listen, publish }) => {
      const given = `event=extreme,region=NORTH,run_time=6,severity=04,place=a/b c,polygon:=${SQUARE},data=5`
      const published = await aviso('notify', given)
      assert.equal(published.code, 0, published.lines.join('\n'))
      const others = { region: 'south', run_time: '06:00', severity: 7, place: '気象' }
      await publish('extreme', { ...others, polygon: '10,10,10,11,11,11,10,10' }, '5')
      for (const filter of [
        { region: 'North', polygon: JSON.parse(SQUARE) as unknown },
        { region: 'North', polygon: '1.5,1.5,1.5,9,9,9,1.5,1.5' },
        { region: 'north', point: '1.5,1.5' },
        { region: { in: ['NORTH'] }, polygon: '*', place: 'a/b c', run_time: '0600' },
        { region: '*', polygon: '*', severity: { lt: 7 } },
      ]) {
        assert.deepEqual(await listen(filter), ['1 5', 'end'], JSON.stringify(filter))
      }
      const south = { region: 'south', point: '10.2,10.5', place: '気象' }
      assert.deepEqual(await listen(south), ['2 "5"', 'end'])
    })
  })

  it('gets payloads of every kind as they were sent', async (context) => {
    await withDoor(context, async ({ listen, publish }) => {
      const payloads = [
        'x',
        '',
        'None',
        '5',
        '{"a": 1}',
        5,
        -1.5,
        true,
        false,
        {},
        { a: [1, null] },
        [],
        ['x'],
      ]
      const identifier = {
        region: 'north',
        run_time: '6',
        severity: 1,
        place: 'x',
        polygon: SQUARE.replaceAll(/[[\]]/g, ''),
      }
      for (const payload of payloads) await publish('extreme', identifier, payload)
      const lines = await listen({ region: '*', polygon: '*' })
      const got = lines.slice(0, -1).map((line) => JSON.parse(line.slice(line.indexOf(' '))) as unknown)
      assert.deepEqual(got, payloads)
    })
  })

  it('is told what is wrong', async (context) => {
    await withDoor(context, async ({ aviso, listen }) => {
      const rest = 'severity=1,place=x,polygon=1'
      const { code, lines } = await aviso('notify', `event=extreme,region=north,run_time=25,${rest},data=5`)
      assert.equal(code, 1)
      assert.match(lines.join('\n'), /Field 'run_time' contains invalid time '25'/)
      const [line = ''] = await listen({ region: 'north' })
      assert.match(line, /Required field 'polygon' missing for watch operation/)
    })
  })
})
