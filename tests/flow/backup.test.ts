/** A backup is made under load, the store is lost, and the backup comes back: every listener resumes exactly, or is told. */

import assert from 'node:assert/strict'
import { cp, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { findEtcdctl, findEtcdutl } from '../../scripts/etcd/binary.ts'
import type { EtcdMember } from '../../scripts/etcd/member.ts'
import { outputOf } from '../../scripts/run_command.ts'
import { runClient, type ClientRun } from '../support/client_program.ts'
import { etcdMissing, startTestEtcd, type EtcdCluster } from '../support/etcd.ts'
import { b64 } from '../support/etcd_wire.ts'
import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder, type TestServer } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const CONFIG = new URL('../../wrangler-like.config.json', import.meta.url).pathname

/** What a listener had seen last. */
interface Place {
  readonly sequence: string
  readonly cursor: string
}

async function start(context: TestContext, argv: readonly string[]): Promise<TestServer> {
  const server = await startServer({ arguments: argv })
  context.after(() => server.stop('SIGKILL'))
  await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
  return server
}

/** Publishes a flight, whose payload is its number. @returns Its number in the journal. */
async function publish(url: string, number: string): Promise<string> {
  const data = { event: 'flight', request: flight(number), payload: number }
  const body = { specversion: '1.0', id: `id of ${number}`, source: '/tests', type: 'aviso', data }
  const response = await fetch(`${url}/api/v1/notification`, { method: 'POST', body: JSON.stringify(body) })
  const answer = (await response.json()) as { sequence: string }
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer.sequence
}

/** Publishes until it is told to stop. */
function publishOn(url: string): { stop(): Promise<number> } {
  let isStopped = false
  const publishing = (async () => {
    let count = 0
    for (; !isStopped; count++) await publish(url, `load${count}`)
    return count
  })()
  return {
    stop: () => {
      isStopped = true
      return publishing
    },
  }
}

function watch(url: string, query: string): Promise<Response> {
  return fetch(`${url}/api/v1/watch?event=flight${query}`)
}

/** Reads the stream up to a number. @returns The place behind it. */
async function placeAt(url: string, sequence: string): Promise<Place> {
  const events = readEvents(await watch(url, `&from_id=${sequence}`))
  const { id: cursor = '' } = await events.next(({ data }) => data.includes(`"id":"flight@${sequence}"`))
  await events.close()
  assert.notEqual(cursor, '')
  return { sequence, cursor }
}

async function refusedWith410(url: string, query: string): Promise<void> {
  const response = await watch(url, query)
  assert.equal(response.status, 410, `${query}: ${await response.text()}`)
}

/** Payloads of what was stored, up to and including one of them. */
async function payloadsTo(url: string, query: string, last: string): Promise<readonly string[]> {
  const events = readEvents(await watch(url, query))
  const payloads: string[] = []
  for (;;) {
    const { data } = await events.next(({ data: text }) => text.includes('"payload"'))
    const { data: inner } = JSON.parse(data) as { data: { payload: string } }
    payloads.push(inner.payload)
    if (inner.payload === last) break
  }
  await events.close()
  return payloads
}

interface Scene {
  readonly url: string
  /** Home and working folder of the client. */
  readonly home: string
  readonly before: Place
  readonly lost: Place
  readonly saved: readonly string[]
}

/** Publishes, backs up under load, and publishes what will be lost. */
async function prepare(url: string, file: string, home: string): Promise<Omit<Scene, 'url'>> {
  const saved = ['n1', 'n2', 'n3', 'n4']
  for (const number of saved) await publish(url, number)
  const place = await placeAt(url, '4')
  const load = publishOn(url)
  const made = await runClient(['admin', 'backup', file, '--json'], { home, url })
  assert.equal(made.code, 0, made.stderr)
  assert.ok((await load.stop()) > 0)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  await publish(url, 'lost1')
  const lost = await placeAt(url, await publish(url, 'lost2'))
  return { home, before: place, lost, saved }
}

/** Every listener gets exactly what the backup holds and what came after it, or is refused. */
async function assertTold({ url, home, before: place, lost, saved }: Scene): Promise<void> {
  // What was lost is not known any more, so its provider's repetition is stored anew.
  const again = await publish(url, 'lost2')
  assert.ok(BigInt(again) > BigInt(lost.sequence), 'no number comes twice')
  for (const number of ['m1', 'm2', 'm3', 'm4', 'm5', 'm6']) await publish(url, number)
  await refusedWith410(url, `&from=${lost.cursor}`)
  await refusedWith410(url, `&from=${place.cursor}`)
  await refusedWith410(url, `&from_id=${BigInt(lost.sequence) + 1n}`)
  const payloads = await payloadsTo(url, '&from_id=1', 'm6')
  assert.deepEqual(payloads.slice(0, saved.length), saved)
  assert.ok(!payloads.includes('lost1'))
  assert.equal(payloads.filter((payload) => payload === 'lost2').length, 1)
  // A listener that comes back by a number which the backup holds goes on right behind it.
  assert.deepEqual(await payloadsTo(url, `&from_id=${BigInt(place.sequence) + 1n}`, 'm6'), payloads.slice(4))
  // The copy came back with the record of the backup that made it, which is not running any more.
  const second = await runClient(['admin', 'backup', join(home, 'second')], { home, url })
  assert.equal(second.code, 0, second.stderr)
}

describe('a backup of the embedded store', () => {
  it('made under load, brings a damaged store back after kill -9, and tells every listener', async (context) => {
    const home = await temporaryFolder(context)
    const data = join(home, 'data')
    const file = join(home, 'backup')
    const server = await start(context, ['--data', data])
    const scene = await prepare(server.url, file, home)
    const run = (argv: readonly string[]): Promise<ClientRun> =>
      runClient(['admin', 'restore', ...argv], { home })
    const busy = await run([file, '--data', data])
    assert.equal(busy.code, 2, busy.stderr)
    assert.match(busy.stderr, /in use by another process: stop it first/)
    await server.stop('SIGKILL')

    const damaged = await open(join(data, 'aviso.sqlite'), 'r+')
    await damaged.write(new Uint8Array(8_192).fill(0xa5), 0, 8_192, 4_096)
    await damaged.close()
    await rm(join(data, 'aviso.sqlite-wal'), { force: true })
    await assert.rejects(startServer({ arguments: ['--data', data] }), /ended with 2:[^]*aviso admin restore/)

    const bytes = await readFile(file)
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1
    await writeFile(join(home, 'flipped'), bytes)
    const flipped = await run([join(home, 'flipped'), '--data', data])
    assert.ok(flipped.code === 1 || flipped.code === 2, flipped.stderr)
    await writeFile(join(home, 'cut'), bytes.subarray(0, bytes.length / 2))
    const cut = await run([join(home, 'cut'), '--data', data])
    assert.equal(cut.code, 1, cut.stderr)
    assert.match(cut.stderr, /cut is damaged: it has \d+ of \d+ bytes/)
    await writeFile(join(home, 'text'), 'nothing of the kind')
    const foreign = await run([join(home, 'text'), '--data', data])
    assert.deepEqual([foreign.code, /no backup of a store/.test(foreign.stderr)], [2, true])

    const restored = await run([file, '--data', data])
    assert.equal(restored.code, 0, restored.stderr)
    const [, aside = ''] = /What was there is in (\S+):/.exec(restored.stdout) ?? []
    assert.ok((await readdir(aside)).includes('aviso.sqlite'))
    const again = await start(context, ['--data', data])
    await assertTold({ ...scene, url: again.url })
    assert.equal(await again.stop(), 0)
  })

  it('comes back on a machine that has nothing', async (context) => {
    const home = await temporaryFolder(context)
    const file = join(home, 'backup')
    const server = await start(context, ['--data', join(home, 'data')])
    const scene = await prepare(server.url, file, home)
    await server.stop('SIGKILL')
    const data = join(home, 'fresh')
    const restored = await runClient(['admin', 'restore', file, '--data', data], { home })
    assert.equal(restored.code, 0, restored.stderr)
    assert.deepEqual(
      (await readdir(data)).filter((name) => name.startsWith('replaced')),
      [],
    )
    const again = await start(context, ['--data', data])
    await assertTold({ ...scene, url: again.url })
    assert.equal(await again.stop(), 0)
  })
})

const etcdctl = await findEtcdctl()
const etcdutl = await findEtcdutl()

/** How a snapshot is restored. */
interface RestoreTool {
  readonly name: string
  readonly command: string
  readonly flags: readonly string[]
}

const BUMP = ['--bump-revision', '1000000000', '--mark-compacted']
/** Debian has etcd 3.4 without etcdutl, and its etcdctl knows no flags; `AVISO_ETCD` may name a newer one. */
const TOOLS: readonly RestoreTool[] =
  etcdutl === undefined
    ? [{ name: 'etcdctl', command: etcdctl ?? '', flags: [] }]
    : [
        { name: 'etcdutl', command: etcdutl, flags: [] },
        { name: 'etcdutl --bump-revision', command: etcdutl, flags: BUMP },
      ]

describe(
  'a backup of etcd',
  {
    skip:
      (await etcdMissing()) ||
      (etcdctl === undefined && etcdutl === undefined
        ? 'There is no etcdctl and no etcdutl on this machine'
        : false),
  },
  () => {
    it('that is cut short is refused, and its damage is told', async (context) => {
      const etcd = await startEtcdFor(context, 1)
      const home = await temporaryFolder(context)
      const file = join(home, 'backup.db')
      const server = await start(context, ['--store', etcd.store])
      const made = await runClient(['admin', 'backup', file], { home, url: server.url })
      assert.equal(made.code, 0, made.stderr)
      assert.equal(await server.stop(), 0)
      const bytes = await readFile(file)
      await writeFile(file, bytes.subarray(0, bytes.length - 512))
      const short = await runClient(['admin', 'restore', file], { home })
      assert.deepEqual([short.code, /does not agree with its digest/.test(short.stderr)], [1, true])
      await writeFile(file, bytes.subarray(0, bytes.length - 100))
      const shorter = await runClient(['admin', 'restore', file], { home })
      assert.deepEqual([shorter.code, /has no digest/.test(shorter.stderr)], [1, true])
    })

    for (const tool of TOOLS)
      it(`restored by ${tool.name} while no service runs, tells every listener once renew-epoch was run`, async (context) => {
        const etcd = await startEtcdFor(context, 3)
        const home = await temporaryFolder(context)
        const file = join(home, 'backup.db')
        const server = await start(context, ['--store', etcd.store])
        const scene = await prepare(server.url, file, home)
        const lost = await revisionOf(server.url)
        assert.equal(await server.stop(), 0)

        const told = await runClient(['admin', 'restore', file], { home })
        assert.equal(told.code, 0, told.stderr)
        assert.match(told.stdout, new RegExp(`etcdutl snapshot restore ${file} .*--mark-compacted`))
        assert.match(told.stdout, /admin renew-epoch --store/)
        await etcd.stop()
        await restoreMembers(etcd, file, tool)
        await Promise.all(etcd.members.map((member) => member.restart()))

        const renewed = await runClient(
          ['admin', 'renew-epoch', '--store', etcd.store, '--services-config', CONFIG],
          { home },
        )
        assert.equal(renewed.code, 0, renewed.stderr)
        assert.match(renewed.stdout, /^New epoch of http.*It was /)
        const again = await start(context, ['--store', etcd.store])
        if (tool.flags.length === 0) await assertTold({ ...scene, url: again.url })
        else await assertBumped({ ...scene, url: again.url }, lost)
        assert.equal(await again.stop(), 0)
      })
  },
)

async function startEtcdFor(context: TestContext, members: number): Promise<EtcdCluster> {
  const etcd = await startTestEtcd({ members })
  context.after(() => etcd.close())
  return etcd
}

/** The store's revision, as a client of 1.x learns it. */
async function revisionOf(url: string): Promise<bigint> {
  const { header } = await ask1x<{ header: { revision: string } }>(url, 'kv/range', { key: b64('/') })
  return BigInt(header.revision)
}

/** Asks as a client of 1.x does. @returns The first line of the answer. */
async function ask1x<Answer>(url: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return JSON.parse(text.trim().split('\n').at(-1) ?? '') as Answer
}

/** With `--bump-revision` and `--mark-compacted`, clients of 1.x are told, too, and what the backup holds is there but cannot be replayed. */
async function assertBumped({ url, before: place, lost, saved }: Scene, lostRevision: bigint): Promise<void> {
  for (const query of [`&from=${lost.cursor}`, `&from=${place.cursor}`, '&from_id=2'])
    await refusedWith410(url, query)
  // From the first number on means all that is kept.
  const replay = readEvents(await watch(url, '&from_id=1'))
  await replay.next(({ data }) => data.includes('"replay_started"') && data.includes('"truncated":true'))
  await replay.close()
  const range = { key: b64('/tmp/aviso/flight/'), range_end: b64('/tmp/aviso/flight0') }
  const kept = await ask1x<{ count: string }>(url, 'kv/range', { ...range, count_only: true })
  assert.ok(BigInt(kept.count) >= BigInt(saved.length))
  const from = String(lostRevision + 1n)
  const watched = await ask1x<{ result: { canceled?: boolean; compact_revision?: string } }>(url, 'watch', {
    create_request: { ...range, start_revision: from },
  })
  assert.equal(watched.result.canceled, true)
  assert.ok(BigInt(watched.result.compact_revision ?? 0) > lostRevision)
  const again = await publish(url, 'lost2')
  assert.ok(BigInt(again) > BigInt(lost.sequence), 'no number comes twice')
  await publish(url, 'm1')
  assert.deepEqual(await payloadsTo(url, `&from_id=${again}`, 'm1'), ['lost2', 'm1'])
  // A poll from a revision that was lost gets all that is new.
  const poll = await ask1x<{ kvs: readonly { key: string }[] }>(url, 'kv/range', {
    ...range,
    min_mod_revision: from,
  })
  assert.equal(poll.kvs.filter(({ key }) => key !== range.key).length, 2)
}

/** Puts a snapshot in place of every member's data, as its guide says. */
async function restoreMembers(
  etcd: EtcdCluster,
  file: string,
  { command, flags }: RestoreTool,
): Promise<void> {
  const peers = etcd.members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  const restoreOne = async ({ name, peerUrl }: EtcdMember, index: number): Promise<void> => {
    const data = join(etcd.folder, `member${index + 1}`, 'data')
    await mkdir(`${data}.old`)
    await cp(data, `${data}.old`, { recursive: true })
    await rm(data, { recursive: true })
    const cluster = ['--initial-cluster', peers, '--initial-cluster-token', 'restored-1']
    const own = ['--name', name, '--initial-advertise-peer-urls', peerUrl, '--data-dir', data]
    await outputOf(command, ['snapshot', 'restore', file, ...own, ...cluster, ...flags], {
      environment: { ETCDCTL_API: '3' },
    })
  }
  await Promise.all(etcd.members.map(restoreOne))
}
