import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import {
  liveStreams,
  runLoads,
  runPost,
  theOnly,
  type ListenLoad,
  type LoadPlan,
  type PostLoad,
} from '../../../../scripts/bench/generator.ts'
import { runFromHere } from '../../../../scripts/bench/generator_here.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** A server that numbers what is posted and sends it to its streams. @returns its address, and the bodies and paths that it got */
async function serve(sequenceOf: (n: number) => number = (n) => n, status = 200) {
  const streams = new Set<ServerResponse>()
  const bodies: string[] = []
  const paths: string[] = []
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      paths.push(request.url ?? '')
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('data: hello\n\n')
      streams.add(response)
      response.once('close', () => streams.delete(response))
      return
    }
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      bodies.push(body)
      for (const stream of streams)
        stream.write(`data: {"id":"mars@${sequenceOf(bodies.length)}","at":"${body}"}\n\n`)
      response.writeHead(status, { 'Content-Length': 2 }).end('{}')
    })
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, paths }
}

const LIMIT_MS = 20_000
const post = (requests: number): PostLoad => ({ path: '/', body: 'x?t=##########', connections: 2, requests })
const listen = (more: Partial<ListenLoad> = {}): ListenLoad => liveStreams(3, { isTimed: true, ...more })

for (const [name, run] of [
  ['runLoads()', runLoads],
  ['runFromHere()', runFromHere],
] as const) {
  describe(name, () => {
    it('opens streams first, posts numbers, and counts every delivery with its latency', async () => {
      const { url, bodies } = await serve()
      const calls: string[] = []
      const plan: LoadPlan = {
        until: LIMIT_MS,
        onOpen: () => calls.push(`open ${bodies.length}`),
        onSettled: () => calls.push(`settled ${bodies.length}`),
      }
      const { results, ownMicros } = await run(url, plan, [post(20), listen()])
      const [posts, deliveries] = results
      assert.deepEqual(calls, ['open 0', 'settled 20'])
      assert.equal(posts?.count, 20)
      assert.equal(deliveries?.count, 60)
      assert.ok((deliveries?.latencyMs.p99 ?? 0) > 0 && (deliveries?.latencyMs.max ?? 0) < LIMIT_MS)
      assert.ok(ownMicros > 0)
      assert.equal(new Set(bodies).size, 20)
      assert.ok(bodies.every((body) => /^x\?t=\d{10}$/.test(body)))
    })

    it('fails when a number is left out, repeated, or answered with a failure', async () => {
      const skipping = await serve((n) => (n < 5 ? n : n + 1))
      await assert.rejects(run(skipping.url, { until: LIMIT_MS }, [post(9), listen()]))
      const repeating = await serve((n) => (n < 5 ? n : n - 1))
      await assert.rejects(run(repeating.url, { until: LIMIT_MS }, [post(9), listen()]))
      const failing = await serve(undefined, 500)
      await assert.rejects(run(failing.url, { until: LIMIT_MS }, [post(9)]))
    })

    it('lets a sparse stream leave numbers out, and a stream begin only after its place', async () => {
      const sparse = await serve((n) => n * 2)
      const { results } = await run(sparse.url, { until: LIMIT_MS }, [post(5), listen({ isSparse: true })])
      assert.equal(results[1]?.count, 15)
      const late = await serve((n) => n + 1)
      await assert.rejects(run(late.url, { until: LIMIT_MS }, [post(5), listen({ after: 0 })]))
    })

    it('puts its number into the path of a stream', async () => {
      const { url, paths } = await serve()
      await run(url, { until: LIMIT_MS }, [post(2), listen({ path: '/watch?step=~~~~' })])
      assert.deepEqual(paths.toSorted(), ['/watch?step=0000', '/watch?step=0001', '/watch?step=0002'])
    })

    it('shows digits of a number, its remainder and its quotient, where the body asks for them', async () => {
      const { url, bodies } = await serve()
      const body = '########## @@@@@@@@@@ @@@@ @@@@@ @@@ ^^^ ^^^^^'
      const load = { path: '/', body, connections: 1, requests: 3, revision: 1_234_567, modulo: 2 }
      await run(url, { until: LIMIT_MS }, [load])
      assert.deepEqual(bodies, [
        '0001234567 0001234567 0012 34567 567 001 17283',
        '0001234568 0001234568 0012 34568 568 000 17284',
        '0001234569 0001234569 0012 34569 569 001 17284',
      ])
    })

    it('keeps a rate', async () => {
      const { url, bodies } = await serve()
      const load = { path: '/', body: '##########', connections: 2, ratePerSecond: 200, requests: 20 }
      const { seconds } = theOnly((await run(url, { until: LIMIT_MS }, [load])).results)
      assert.ok(seconds > 0.09, `${seconds} s`)
      assert.equal(bodies.length, 20)
    })
  })
}

describe('runPost()', () => {
  it('posts until the time is over', async () => {
    const { url, bodies } = await serve()
    const { count, perSecond } = await runPost(url, 200, { path: '/', body: '##########', connections: 2 })
    assert.equal(count, bodies.length)
    assert.ok(perSecond > 0)
  })
})
