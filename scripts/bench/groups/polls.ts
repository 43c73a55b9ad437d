/**
 * Measures polls of 1.x clients that find nothing, over very many keys.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { openConnection, type HttpConnection } from '../http_load.ts'
import { fillWithOldKeys, OLD_KEYS } from '../old_keys.ts'
import {
  hasGenerator,
  ownCost,
  runLoads,
  runPosts,
  type Load,
  type PostLoad,
  type PostResult,
} from '../generator.ts'
import { interleave, loadMs, type Bench, type RowGroup } from '../plan.ts'
import { pollBody, revisionIn } from '../polls.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, atMost, type Row } from '../row.ts'
import { median, type Percentiles } from '../statistics.ts'
import { startAviso, withProcess } from '../systems.ts'
import { pacedPublishes } from '../timed_publishes.ts'

const KEYS = { full: 1_000_000, quick: 100_000 } as const
const CONNECTIONS = 16
const SERVICES = ['rest', 'auth']
/** Where the generator puts the revision after the newest that it has seen, as a client goes on from there. */
const NEXT_REVISION = '%'.repeat(12)
const RANGE_PATH = '/v3/kv/range'
/** How long publishing is timed, with and without polls. */
const TIMED_MS = 8_000
/** The worst of some seconds differs by a factor from run to run, with and without polls, so one run says little. */
const TIMED_RUNS = 5

/** The rows about polls. */
export const pollsGroup: RowGroup = {
  name: 'polls',
  summary:
    'polls of 1.x clients that find nothing among 1,000,000 keys (100,000 with --quick), and publishes beside them on one processor',
  placement: 'apart',
  measure: (bench) =>
    onStores(bench, async (subject) => [
      ...(await measurePolls(bench, subject)),
      await measurePublishes(bench, subject, 'one processor'),
    ]),
}

/** The row about publishes where the whole system has both processors, as one who starts it has it. */
export const besidePollsGroup: RowGroup = {
  name: 'beside-polls',
  summary: 'publishes beside polls of 1.x clients that find nothing',
  placement: 'together',
  measure: (bench) =>
    onStores(bench, async (subject) => [await measurePublishes(bench, subject, 'both processors')]),
}

/** Takes rows of a system with very many keys, on both stores. */
async function onStores(
  bench: Bench,
  measure: (subject: Subject) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const keys = bench.isQuick ? KEYS.quick : KEYS.full
  bench.say(`polls: writing ${keys} keys, twice`)
  const prepare = (folder: string): Promise<void> => fillWithOldKeys(keys, 'embedded:', folder)
  const embedded = await withProcess(startAviso({ services: SERVICES, prepare }), (aviso) =>
    measure({ aviso, keys, runtime: 'node' }),
  )
  const onEtcd = await withEtcd(async (etcd) => {
    await fillWithOldKeys(keys, etcd.store)
    const started = startAviso({ services: SERVICES, store: etcd.store })
    return withProcess(started, (aviso) => measure({ aviso, keys, runtime: 'node + etcd' }))
  })
  return [...embedded, ...onEtcd]
}

interface Subject {
  readonly aviso: BenchProcess
  readonly keys: number
  /** Name in the rows. */
  readonly runtime: string
}

/** Polls of clients that know what was published so far. What a client that was away has to fetch is another matter. */
async function pollsNow({ url }: BenchProcess): Promise<PostLoad> {
  const body = JSON.stringify({ key: Buffer.from(OLD_KEYS).toString('base64') })
  return {
    path: RANGE_PATH,
    body: pollBody(NEXT_REVISION),
    revision: revisionIn(await pollOnce(url + RANGE_PATH, body)),
    connections: CONNECTIONS,
  }
}

async function measurePolls(bench: Bench, { aviso, keys, runtime }: Subject): Promise<readonly Row[]> {
  const shownKeys = keys.toLocaleString('en')
  const polls = await pollsNow(aviso)
  bench.say(`polls: ${CONNECTIONS} connections, ${runtime}`)
  const firstAt = performance.now()
  await pollOnce(aviso.url + RANGE_PATH, pollBody((polls.revision ?? 0) + 1))
  const firstMs = performance.now() - firstAt
  await runPosts(aviso.url, loadMs(bench), [polls])
  const rates: number[] = []
  const polled: PostResult[] = []
  const costs: number[] = []
  for (let run = 0; run < bench.runs; run++) {
    const before = aviso.cpuSeconds()
    const [result] = await runPosts(aviso.url, loadMs(bench), [polls])
    if (result === undefined) continue
    rates.push(result.perSecond)
    polled.push(result)
    costs.push(((aviso.cpuSeconds() - before) * 1e3) / result.count)
  }
  return [
    {
      name: `a poll that finds nothing among ${shownKeys} keys, processor time`,
      runtime,
      unit: ' ms',
      runs: costs,
      goal: atMost(1, Math.min(...costs), ' ms'),
      notes: [`the first poll of the range took ${firstMs.toFixed(0)} ms`],
    },
    {
      name: `such polls, ${CONNECTIONS} connections`,
      runtime,
      unit: '/s',
      runs: rates,
      goal: atLeast(10_000, Math.max(...rates), '/s'),
      notes: [ownCost(polled)],
    },
  ]
}

/** The publishes of one run, and how long the server waited for its processor. */
interface Publishes {
  readonly latencyMs: Percentiles
  readonly waitedMs: number
}

/**
 * Times publishes alone, beside polls, and beside requests that need no store. A process that never sleeps gets its processor in slices where
 * others want it, too, so what polls cost is what they add to the last of these.
 *
 * @param processors What the server may use, in words.
 */
async function measurePublishes(bench: Bench, { aviso, runtime }: Subject, processors: string): Promise<Row> {
  bench.say(`polls: publishing alone, beside polls and beside other requests, ${runtime}`)
  const time = async (beside: readonly Load[]): Promise<Publishes> => {
    const before = aviso.processorWaitMs()
    const { results } = await runLoads(aviso.url, { until: TIMED_MS }, [pacedPublishes(), ...beside])
    const [publishes] = results
    if (publishes === undefined) throw new Error('No figures of the publishes')
    return { latencyMs: publishes.latencyMs, waitedMs: aviso.processorWaitMs() - before }
  }
  const { alone, polling, asking } = await interleave(Math.max(bench.runs, TIMED_RUNS), {
    alone: () => time([]),
    polling: async () => time([await pollsNow(aviso)]),
    asking: () => time(hasGenerator() ? [aliveRequests(aviso.url)] : []),
  })
  const worst = (runs: readonly Publishes[]): number[] => runs.map(({ latencyMs }) => latencyMs.max)
  const show = (figure: (run: Publishes) => number): string =>
    [polling, asking, alone].map((runs) => median(runs.map(figure)).toFixed(1)).join(' ms, ')
  const share = (runs: readonly Publishes[]): number => median(worst(polling)) / median(worst(runs))
  return {
    name: `the worst publish beside ${CONNECTIONS} polling connections, ${processors}`,
    runtime,
    unit: ' ms',
    runs: worst(polling),
    limit: { name: 'alone', runs: worst(alone) },
    goal: atMost(2, share(alone), ' × alone'),
    notes: [
      `${share(asking).toFixed(1)} × beside as many requests that need no store: the worst ${show(({ latencyMs }) => latencyMs.max)} ms (beside polls, beside such requests, alone)`,
      `p99 ${show(({ latencyMs }) => latencyMs.p99)} ms`,
      `of ${TIMED_MS / 1_000} s the server waited for its processor ${show(({ waitedMs }) => waitedMs)} ms`,
    ],
  }
}

/** As many requests at a time as there are polls, which the server answers by itself. */
function aliveRequests(url: string): Load {
  const request = `GET /livez HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`
  return { kind: 'wire', isListen: false, protocol: 'http', connections: CONNECTIONS, request }
}

async function pollOnce(url: string, body: string): Promise<string> {
  const connection: HttpConnection = await openConnection(url)
  try {
    const { status, body: answer } = await connection.post(body)
    if (status !== 200) throw new Error(`${url} answered ${status}: ${answer.slice(0, 300)}`)
    return answer
  } finally {
    connection.close()
  }
}
