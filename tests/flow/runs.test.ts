/** Two instances follow runs on one etcd: the one that publishes is killed in the middle of a run, and the other goes on. */

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'

import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { THREE_STEPS, type Told } from '../service/runs_fixture.ts'

describe('runs on etcd', { skip: await etcdMissing() }, () => {
  it('survive the death of the instance that publishes, and are told once', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.close())
    const file = join(await temporaryFolder(context), 'config.json')
    const runs = { mars: { ...THREE_STEPS.mars, due: '47h', close: '48h' } }
    await writeFile(file, JSON.stringify({ ...configFile, vars: { ...configFile.vars, runs } }))
    const start = async (): Promise<TestServer> => {
      const server = await startServer({
        arguments: ['rest', 'auth', 'runs', '--config', file, '--store', etcd.endpoints.join(',')],
      })
      context.after(() => server.stop('SIGKILL'))
      return server
    }
    const [first, second] = await Promise.all([start(), start()])
    assert.ok(first !== undefined && second !== undefined)
    const date = new Date().toISOString().slice(0, 10).replaceAll('-', '')
    const publish = async ({ url }: TestServer, step: number): Promise<void> => {
      const identifier = { class: 'od', stream: 'oper', expver: '1', domain: 'g', date, time: '0', step }
      const body = JSON.stringify({ event_type: 'mars', identifier, payload: 'here' })
      const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body })
      assert.equal(response.status, 200, await response.text())
    }
    const states = async ({ url }: TestServer): Promise<readonly (string | undefined)[]> => {
      const response = await fetch(`${url}/api/v1/notifications?event=run&event_type=mars&order=oldest`)
      const { notifications } = (await response.json()) as { readonly notifications: readonly Told[] }
      return notifications.map(({ data }) => data.identifier['state'])
    }
    const isPublishing = async ({ url }: TestServer): Promise<boolean> =>
      /^aviso_runs_publishing 1/m.test(await (await fetch(`${url}/metrics`)).text())
    const are = async (expected: readonly string[]): Promise<void> => {
      const told = async (): Promise<boolean> => (await states(survivor)).length >= expected.length
      // A claim counts as abandoned after 15 s.
      await eventually(expected.join(), told).catch(() => eventually(expected.join(), told))
      assert.deepEqual(await states(survivor), expected)
    }
    await eventually('one of them publishes', async () => (await isPublishing(first)) || isPublishing(second))
    const [holder, survivor] = (await isPublishing(first)) ? [first, second] : [second, first]
    await publish(holder, 0)
    await are(['started'])
    await publish(holder, 3)
    await holder.stop('SIGKILL')
    await publish(survivor, 6)
    await are(['started', 'complete'])
    assert.ok(await isPublishing(survivor))
    const third = await start()
    await eventually('the new one knows the run', async () => {
      const { runs: known } = (await (await fetch(`${third.url}/api/v1/runs`)).json()) as {
        readonly runs?: readonly { readonly state: string; readonly received: number }[]
      }
      return known?.[0]?.state === 'complete' && known[0].received === 3
    })
    assert.deepEqual(await states(third), ['started', 'complete'])
  })
})
