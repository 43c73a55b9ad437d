/** `--workers`: several processes on one port, of which each answers for all. */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'

import config from '../../wrangler-like.config.json' with { type: 'json' }
import { listen } from '#shared/client/listen.ts'
import { etcdMissing, startTestEtcd } from '../support/etcd.ts'
import { flight } from '../support/notifications.ts'
import {
  serveCommand,
  startServer,
  temporaryFolder,
  type RuntimeName,
  type TestServer,
} from '../support/server.ts'
import { eventually, within } from '../support/waiting.ts'

/** So many connections that both workers have some: that one has none is less likely than 1 in 30,000. */
const MANY = 16
const ANNA = 'anna-token-0123456789'

describe('several workers', { timeout: 120_000, concurrency: 4 }, () => {
  for (const runtime of ['node', 'deno', 'bun'] as const)
    it(`on ${runtime} lose and double nothing where one is killed, and are one service`, async (context) => {
      const server = await startWorkers(context, { runtime })
      const [further = 0] = childrenOf(server)
      const listeners = Array.from({ length: MANY }, () => follow(context, server))
      await eventually('all listen', async () => (await streams(server)) === MANY)
      for (let number = 1; number <= MANY; number++) assert.equal(await publish(server, number), 200)
      const all = await streamList(server)
      assert.equal(all.total, MANY)
      const instances = new Set(all.streams.map(({ id }) => id.split('-')[0]))
      assert.equal(instances.size, 2, 'both workers have listeners')
      process.kill(further, 'SIGKILL')
      for (let number = MANY + 1; number <= 2 * MANY; number++)
        // A connection that the killed one had accepted is closed: then a provider tries again, with the same id.
        await eventually('it is published', async () => (await publish(server, number)) === 200)
      await eventually('another one listens', () => server.output().includes('"A worker listens"'))
      const [another] = childrenOf(server)
      assert.notEqual(another, further)
      const expected = Array.from({ length: 2 * MANY }, (_, index) => `IN${index + 1}`)
      for (const { got } of listeners) {
        await eventually('everything has come', () => got.length >= expected.length)
        assert.deepEqual(got, expected)
      }
      const counted = /^aviso_notifications_total\{event_type="flight",status="success"\} (\d+)/m
      for (let asked = 0; asked < 8; asked++)
        assert.equal(counted.exec(await get(server, '/metrics'))?.[1], String(2 * MANY))
      assert.equal(await within('the end', server.stop()), 0, server.output())
      assert.ok(!isAlive(another ?? 0))
    })

  it('replace one that hangs, and its listeners miss nothing', async (context) => {
    const server = await startWorkers(context, {})
    const [further = 0] = childrenOf(server)
    const listeners = Array.from({ length: MANY }, () => follow(context, server))
    await eventually('all listen', async () => (await streams(server)) === MANY)
    process.kill(further, 'SIGSTOP')
    await eventually('it is ended', () => !isAlive(further))
    await eventually('another one listens', () => server.output().includes('"A worker listens"'))
    assert.match(server.output(), /"A worker does not answer: it is ended","worker":2,"silent_ms":8000/)
    for (let number = 1; number <= MANY; number++)
      await eventually('it is published', async () => (await publish(server, number)) === 200)
    const expected = Array.from({ length: MANY }, (_, index) => `IN${index + 1}`)
    for (const { got } of listeners) {
      await eventually('everything has come', () => got.length >= expected.length)
      assert.deepEqual(got, expected)
    }
    assert.match(await get(server, '/metrics'), /^aviso_workers_replaced_total\{reason="silent"\} 1\.0$/m)
    assert.equal(await within('the end', server.stop()), 0, server.output())
  })

  it('reload all at SIGHUP, and end with the first one', async (context) => {
    const TMPDIR = await temporaryFolder(context)
    const server = await startWorkers(context, { environment: { TMPDIR } })
    const [further = 0] = childrenOf(server)
    // A terminal and systemd send signals to all: only the first one's count.
    for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) process.kill(further, signal)
    server.child.kill('SIGHUP')
    await eventually('both read', () => server.output().split('The policy was read again').length === 3)
    server.child.kill('SIGKILL')
    await eventually('the further one ends', () => !isAlive(further))
    assert.deepEqual(await readdir(TMPDIR), [])
    const again = await startServer({
      port: Number(new URL(server.url).port),
      arguments: ['--workers', '2', '--store', 'embedded:memory'],
    })
    await again.stop()
  })

  it('serve on while they drain, and end all streams', async (context) => {
    const server = await startWorkers(context, { dev: { drainSeconds: 3 } })
    const bodies = Array.from({ length: MANY }, () => open(server))
    await eventually('all listen', async () => (await streams(server)) === MANY)
    const stopped = server.stop()
    await eventually('none is ready', async () => (await fetchNew(server, '/readyz')).status === 503)
    for (let asked = 0; asked < 8; asked++) assert.equal((await fetchNew(server, '/readyz')).status, 503)
    assert.equal(await publish(server, 1), 200)
    for (const text of await within('the ends', Promise.all(bodies))) assert.match(text, /connection-closing/)
    assert.equal(await within('the end', stopped), 0, server.output())
  })

  it('hand requests on with identity, limits and body, and end the stream of any', async (context) => {
    const quota = { publishesPerPrincipal: { perSecond: 0.01, burst: 8 } }
    const server = await startWorkers(context, withAnna(quota))
    for (let number = 1; number <= 8; number++) assert.equal(await publish(server, number), 401)
    const authorization = `Bearer ${ANNA}`
    const answers: number[] = []
    for (let number = 1; number <= 12; number++)
      answers.push(await publish(server, number, { authorization }))
    assert.deepEqual(answers, [...Array(8).fill(200), ...Array(4).fill(429)])
    const opened = Array.from({ length: MANY }, () => open(server, { authorization }))
    await eventually('all listen', async () => (await streamList(server, { authorization })).total === MANY)
    const first = await streamList(server, { authorization }, '?limit=10')
    const second = await streamList(server, { authorization }, `?limit=10&cursor=${first.cursor}`)
    const ids = [...first.streams, ...second.streams].map(({ id }) => id)
    assert.equal(new Set(ids).size, MANY)
    for (const id of ids) {
      const ended = await fetchNew(server, `/api/v1/admin/streams/${id}`, { method: 'DELETE', authorization })
      assert.equal(ended.status, 200, `${id} of ${ids.join(' ')}: ${ended.text}`)
    }
    await within('the ends', Promise.all(opened))
    const ticket = await fetchNew(server, '/api/v1/tickets', { method: 'POST', authorization })
    const { ticket: text } = JSON.parse(ticket.text) as { readonly ticket: string }
    const body = open(server, {}, `&from_id=1&ticket=${text}`, 'IN8')
    assert.match(await within('the stream of the ticket', body), /IN1"/)
  })

  it('count the streams of an identity together, and give back those of one that is killed', async (context) => {
    const server = await startWorkers(context, withAnna({ streamsPerPrincipal: MANY }))
    const authorization = `Bearer ${ANNA}`
    const [further = 0] = childrenOf(server)
    const refused = (count: number): Promise<readonly string[]> =>
      Promise.all(Array.from({ length: count }, () => open(server, { authorization })))
    for (let stream = 0; stream < MANY; stream++) void open(server, { authorization })
    await eventually('all listen', async () => (await streams(server)) === MANY)
    for (const text of await within('the refusals', refused(MANY)))
      assert.match(text, /at most 16 open \(vars\.quota\.streamsPerPrincipal\)/)
    process.kill(further, 'SIGKILL')
    await eventually('another one listens', () => server.output().includes('"A worker listens"'))
    const left = Number(await streams(server))
    assert.ok(left < MANY, 'the killed one had streams')
    for (let stream = left; stream < MANY; stream++) void open(server, { authorization })
    await eventually('all listen', async () => (await streams(server)) === MANY)
    for (const text of await within('the refusals', refused(MANY))) assert.match(text, /at most 16 open/)
  })

  it('count all streams together', async (context) => {
    const { auth } = config.workers
    const server = await startWorkers(context, {
      workers: { ...config.workers, auth: { ...auth, vars: { maxStreams: MANY } } },
    })
    for (let stream = 0; stream < MANY; stream++) void open(server)
    await eventually('all listen', async () => (await streams(server)) === MANY)
    for (let asked = 0; asked < 8; asked++)
      assert.match(await within('the refusal', open(server)), /reached its limit of streams/)
  })

  it('count wrong credentials together', (context) => countsTogether(context, 'embedded:memory'))

  it('end all, with one line, where one cannot start or a port is in use', async (context) => {
    const folder = await temporaryFolder(context)
    await writeFile(
      join(folder, 'only_first.mjs'),
      `if (process.env._AVISO_WORKER !== undefined) throw new Error('not here')
export default { fetch: (request, env) => new Response('') }`,
    )
    const workers = { ...config.workers, auth: { ...config.workers.auth, main: 'only_first.mjs' } }
    const file = join(folder, 'config.json')
    await writeFile(file, JSON.stringify({ ...config, $schema: undefined, workers }))
    const failed = await run(['--port', '0', '--workers', '4', '--config', file])
    assert.equal(failed.code, 2, failed.output)
    assert.equal(
      failed.output,
      `error: ${file}: workers.auth.main: "only_first.mjs" cannot be loaded: not here\n`,
    )
    const server = await startWorkers(context, {})
    const port = new URL(server.url).port
    const inUse = await run(['--port', port, '--workers', '2'])
    assert.equal(inUse.code, 2, inUse.output)
    assert.match(inUse.output, /^error: [^\n]*: --port: port \d+ of 127\.0\.0\.1 is in use [^\n]*\n$/)
    for (const [flags, told] of [
      [['rest', '--workers', '2'], /--workers: on the embedded store one worker publishes/],
      [['--workers', '0'], /Use a number from 1 to 256, or auto/],
    ] as const) {
      const { code, output } = await run([...flags, '--port', '0'])
      assert.equal(code, 2, output)
      assert.match(output, told)
    }
  })
})

describe('several workers on etcd', { skip: await etcdMissing(), timeout: 60_000 }, () => {
  it('publish and listen all alike', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.stop())
    const server = await startWorkers(context, { store: etcd.store })
    const { got } = follow(context, server)
    await eventually('it listens', async () => (await streams(server)) === 1)
    for (let number = 1; number <= MANY; number++) assert.equal(await publish(server, number), 200)
    await eventually('everything has come', () => got.length >= MANY)
    assert.deepEqual(
      got,
      Array.from({ length: MANY }, (_, index) => `IN${index + 1}`),
    )
    assert.equal(await within('the end', server.stop()), 0, server.output())
  })

  it('take a ticket once, whichever gets it', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.stop())
    const server = await startWorkers(context, { store: etcd.store, ...withAnna() })
    assert.equal(await publish(server, 1, { authorization: `Bearer ${ANNA}` }), 200)
    const asked = { method: 'POST', authorization: `Bearer ${ANNA}` }
    const { ticket } = JSON.parse((await fetchNew(server, '/api/v1/tickets', asked)).text) as {
      readonly ticket: string
    }
    const path = `/api/v1/watch?event=flight&from_id=1&ticket=${ticket}`
    const answers = await within(
      'the answers',
      Promise.all(Array.from({ length: MANY }, () => fetchNew(server, path, { until: 'IN1"' }))),
    )
    const taken = answers.filter(({ status }) => status === 200)
    assert.equal(taken.length, 1)
    assert.match(taken[0]?.text ?? '', /IN1"/)
    for (const { status, text } of answers)
      if (status !== 200) assert.match(text, /This ticket was used already/)
  })

  it('count wrong credentials, wrong tickets and given tickets together', async (context) => {
    const etcd = await startTestEtcd()
    context.after(() => etcd.stop())
    await countsTogether(context, etcd.store)
  })
})

/** A limit of attempts, and more attempts than two workers would take if each counted for itself. */
const ATTEMPTS = { burst: 20, tried: 100, perSecond: 0.01 } as const
/** Workers tell each other: one that is asked at the same moment may take some more. */
const MOST_TAKEN = 1.5 * ATTEMPTS.burst

/** Attempts that end with 429 once the limit is reached, on whichever worker they come. */
async function countsTogether(context: TestContext, store: string): Promise<void> {
  const { burst, perSecond } = ATTEMPTS
  const limit = { perSecond, burst }
  const server = await startWorkers(context, {
    store,
    ...withAnna({ wrongCredentialsPerAddress: limit, readsPerAddress: limit, opensPerPrincipal: limit }),
  })
  const authorization = `Bearer ${ANNA}`
  const attempts: readonly (readonly [right: number, path: string, asked: Asked])[] = [
    // None of them is used, and 32 of an identity are allowed.
    [200, '/api/v1/tickets', { method: 'POST', authorization }],
    [401, `/api/v1/watch?event=flight&ticket=${'A'.repeat(43)}`, {}],
    [401, '/api/v1/watch?event=flight', { authorization: 'Bearer a-wrong-token-0123456789' }],
  ]
  for (const [right, path, asked] of attempts) {
    const counts = new Map<number, number>()
    for (let tried = 0; tried < ATTEMPTS.tried; tried++) {
      const { status } = await fetchNew(server, path, asked)
      counts.set(status, (counts.get(status) ?? 0) + 1)
    }
    const taken = counts.get(right) ?? 0
    const told = `${path}: ${JSON.stringify([...counts])}`
    assert.ok(taken >= burst && taken <= MOST_TAKEN, told)
    assert.equal(taken + (counts.get(429) ?? 0), ATTEMPTS.tried, told)
  }
  assert.equal(await within('the end', server.stop()), 0, server.output())
}

/** Anna may do everything. */
function withAnna(quota?: object): Pick<WorkersOptions, 'vars' | 'environment'> {
  const tokens = [{ username: 'anna', realm: 'r', roles: ['all'], secretEnv: 'ANNA' }]
  const rule = { realm: 'r', roles: ['all'], publish: 'everything', listen: 'everything', admin: true }
  return {
    vars: {
      ...config.vars,
      identity: { providers: [{ kind: 'tokens', tokens }] },
      policy: { rules: [rule] },
      ...(quota !== undefined && { quota }),
    },
    environment: { ANNA },
  }
}

interface WorkersOptions {
  readonly runtime?: RuntimeName
  readonly store?: string
  readonly vars?: object
  readonly dev?: object
  readonly workers?: object
  readonly environment?: Readonly<Record<string, string>>
}

async function startWorkers(context: TestContext, options: WorkersOptions): Promise<TestServer> {
  const { runtime = 'node', store = 'embedded:memory', vars = config.vars, dev = {}, environment } = options
  const { workers = config.workers } = options
  const file = join(await temporaryFolder(context), 'config.json')
  await writeFile(file, JSON.stringify({ ...config, $schema: undefined, vars, dev, workers }))
  const server = await startServer({
    runtime,
    arguments: ['--workers', '2', '--store', store, '--config', file],
    environment: { npm_lifecycle_event: undefined, ...environment },
  })
  context.after(() => server.stop('SIGKILL'))
  await eventually('ready', async () => (await fetchNew(server, '/readyz')).status === 200)
  return server
}

function childrenOf({ child }: TestServer): readonly number[] {
  const listed = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
  return listed.trim().split(/\s+/).map(Number)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The project's own client, which comes back by itself. */
function follow(context: TestContext, { url }: TestServer): { readonly got: readonly unknown[] } {
  const stop = new AbortController()
  const got: unknown[] = []
  const following = (async () => {
    for await (const { payload } of listen({ url, event: 'flight', from: 'oldest', signal: stop.signal }))
      got.push(payload)
  })()
  following.catch((error: unknown) => got.push(error))
  context.after(() => stop.abort())
  return { got }
}

interface Asked {
  readonly method?: string
  readonly authorization?: string
  readonly body?: string
  readonly type?: string
  /** Does not wait for the end of the answer, but for this text. */
  readonly until?: string | undefined
}

/** A request on a connection of its own, so that any worker may get it. A connection that breaks is status 0. */
function fetchNew(
  { url }: TestServer,
  path: string,
  { method = 'GET', authorization, body, type, until }: Asked = {},
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((done) => {
    const headers = {
      ...(authorization !== undefined && { authorization }),
      ...(type !== undefined && { 'content-type': type }),
    }
    const sent = request(url + path, { method, agent: false, headers }, (answer) => {
      let text = ''
      const finish = (): void => done({ status: answer.statusCode ?? 0, text })
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => {
        text += piece
        if (until === undefined || !text.includes(until)) return
        finish()
        sent.destroy()
      })
      answer.once('end', finish)
      answer.once('error', finish)
    })
    sent.once('error', () => done({ status: 0, text: '' }))
    sent.end(body)
  })
}

async function get(server: TestServer, path: string): Promise<string> {
  return (await fetchNew(server, path)).text
}

async function streams(server: TestServer): Promise<unknown> {
  return (JSON.parse(await get(server, '/readyz')) as { readonly streams: unknown }).streams
}

interface StreamList {
  readonly total: number
  readonly streams: readonly { readonly id: string }[]
  readonly cursor: string | null
}

async function streamList(server: TestServer, asked: Asked = {}, query = ''): Promise<StreamList> {
  const { status, text } = await fetchNew(server, `/api/v1/admin/streams${query}`, asked)
  assert.equal(status, 200, text)
  return JSON.parse(text) as StreamList
}

/** A stream; all that it sent when it has ended. */
async function open(server: TestServer, asked: Asked = {}, query = '', until?: string): Promise<string> {
  return (await fetchNew(server, `/api/v1/watch?event=flight${query}`, { ...asked, until })).text
}

async function publish(server: TestServer, number: number, asked: Asked = {}): Promise<number> {
  const body = JSON.stringify({
    specversion: '1.0',
    id: `id-${number}`,
    source: '/tests',
    type: 'aviso',
    data: { event: 'flight', request: flight(`IN${number}`), payload: `IN${number}` },
  })
  const asking = { ...asked, method: 'POST', body, type: 'application/cloudevents+json' }
  return (await fetchNew(server, '/api/v1/notification', asking)).status
}

async function run(
  flags: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const [command, ...prefix] = serveCommand('node')
  const child = spawn(command, [...prefix, '--store', 'embedded:memory', ...flags])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
