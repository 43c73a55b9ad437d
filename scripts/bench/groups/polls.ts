/**
 * Measures polls of 1.x clients that find nothing, over very many keys.
 *
 * @module
 */

import { withEtcd } from '../etcd_figures.ts'
import { openConnection, type HttpConnection } from '../http_load.ts'
import { fillWithOldKeys, OLD_KEYS } from '../old_keys.ts'
import { ownCost, runPosts, type PostLoad, type PostResult } from '../generator.ts'
import { loadMs, type Bench, type RowGroup } from '../plan.ts'
import { pollBody, revisionIn } from '../polls.ts'
import type { BenchProcess } from '../processes.ts'
import { atLeast, atMost, type Row } from '../row.ts'
import { median, type Percentiles } from '../statistics.ts'
import { startAviso, withProcess } from '../systems.ts'
import { pacedPublishes, publishUntil } from '../timed_publishes.ts'

const KEYS = { full: 1_000_000, quick: 100_000 } as const
const CONNECTIONS = 16
const SERVICES = ['rest', 'auth']
/** Where the generator puts the revision after the newest that it has seen, as a client goes on from there. */
const NEXT_REVISION = '%'.repeat(12)
const RANGE_PATH = '/v3/kv/range'
/** How long publishing is timed, with and without polls. */
const TIMED_MS = 8_000

/** The rows about polls. */
export const pollsGroup: RowGroup = {
  name: 'polls',
  summary:
    'polls of 1.x clients that find nothing among 1,000,000 keys (100,000 with --quick), and publishes beside them',
  placement: 'apart',
  measure: async (bench) => {
    const keys = bench.isQuick ? KEYS.quick : KEYS.full
    bench.say(`polls: writing ${keys} keys, twice`)
    const prepare = (folder: string): Promise<void> => fillWithOldKeys(keys, 'embedded:', folder)
    const embedded = await withProcess(startAviso({ services: SERVICES, prepare }), (aviso) =>
      measure(bench, { aviso, keys, runtime: 'node' }),
    )
    const onEtcd = await withEtcd(async (etcd) => {
      await fillWithOldKeys(keys, etcd.store)
      const started = startAviso({ services: SERVICES, store: etcd.store })
      return withProcess(started, (aviso) => measure(bench, { aviso, keys, runtime: 'node + etcd' }))
    })
    return [...embedded, ...onEtcd]
  },
}

interface Subject {
  readonly aviso: BenchProcess
  readonly keys: number
  /** Name in the rows. */
  readonly runtime: string
}

async function measure(bench: Bench, { aviso, keys, runtime }: Subject): Promise<readonly Row[]> {
  const url = aviso.url + RANGE_PATH
  const shownKeys = keys.toLocaleString('en')
  const readHead = async (): Promise<number> =>
    revisionIn(await pollOnce(url, JSON.stringify({ key: Buffer.from(OLD_KEYS).toString('base64') })))
  const head = await readHead()
  const polls: PostLoad = {
    path: RANGE_PATH,
    body: pollBody(NEXT_REVISION),
    revision: head,
    connections: CONNECTIONS,
  }
  bench.say(`polls: ${CONNECTIONS} connections, ${runtime}`)
  const firstAt = performance.now()
  await pollOnce(url, pollBody(head + 1))
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
  bench.say(`polls: publishing with and without them, ${runtime}`)
  const quiet: Percentiles[] = []
  const busy: Percentiles[] = []
  const waits: { readonly quiet: number; readonly busy: number }[] = []
  for (let run = 0; run < bench.runs; run++) {
    const before = aviso.processorWaitMs()
    quiet.push(await publishUntil(aviso.url, TIMED_MS))
    const between = aviso.processorWaitMs()
    // Clients that know what was published so far. What a client that was away has to fetch is another matter.
    const beginning = { ...polls, revision: await readHead() }
    const [beside] = await runPosts(aviso.url, TIMED_MS, [pacedPublishes(), beginning])
    if (beside !== undefined) busy.push(beside.latencyMs)
    waits.push({ quiet: between - before, busy: aviso.processorWaitMs() - between })
  }
  const worst = busy.map(({ max }) => max)
  const worstQuiet = quiet.map(({ max }) => max)
  const share = median(worst) / median(worstQuiet)
  const p99s = (figures: readonly Percentiles[]): string =>
    figures.map(({ p99 }) => p99.toFixed(1)).join(', ')
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
    {
      name: `the worst publish beside ${CONNECTIONS} polling connections`,
      runtime,
      unit: ' ms',
      runs: worst,
      limit: { name: 'the same without polls', runs: worstQuiet },
      goal: atMost(2, share, ' × without'),
      notes: [
        `p99 ${p99s(busy)} ms (${p99s(quiet)})`,
        // Polls keep the processor busy, so whatever else runs on it delays publishes by its own slices of time.
        `of ${TIMED_MS / 1_000} s the server waited for its processor ${waited(waits.map((wait) => wait.busy))} ms (${waited(waits.map((wait) => wait.quiet))})`,
      ],
    },
  ]
}

function waited(milliseconds: readonly number[]): string {
  return milliseconds.map((wait) => wait.toFixed(0)).join(', ')
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
