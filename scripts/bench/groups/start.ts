/**
 * Measures how soon a started system answers, and how soon it stores the first notification.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WIRES } from '../bare_grpc.ts'
import { withEtcd } from '../etcd_figures.ts'
import { openConnection } from '../http_load.ts'
import { createNotifications } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { startProcess, type BenchProcess, type BenchRuntime } from '../processes.ts'
import { atMost, showNumber, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { postOnce, PUBLISH_PATH, untilReady, withProcess } from '../systems.ts'
import { publishBurst } from '../targets.ts'

/** Several, because a start is short, and the first start reads the disk. */
const STARTS_PER_RUN = 3
const RETRY_MS = 2
/** Notifications in the store before the start: as many as ids are remembered. */
const STORED = 200_000

/** The rows about the start. */
export const startGroup: RowGroup = {
  name: 'start',
  summary:
    'from the start of the process to the first notification stored; the first notification after a start',
  placement: 'together',
  measure: async (bench) => [...(await measureStarts(bench)), ...(await measureFirstPublishes(bench))],
}

async function measureStarts(bench: Bench): Promise<readonly Row[]> {
  const { bare, ...ours } = await interleave(bench.runs, {
    bare: () => medianOf(async () => (await startBare()) / 1_000),
    ...Object.fromEntries(
      bench.runtimes.map((runtime) => [runtime, () => medianOf(() => measureStart(bench, runtime))]),
    ),
  } as Record<BenchRuntime | 'bare', () => Promise<number>>)
  return bench.runtimes.map((runtime): Row => {
    const seconds = median(ours[runtime])
    const isNode = runtime === 'node'
    return {
      name: 'start to first answer',
      runtime,
      unit: 's',
      runs: ours[runtime],
      limit: { name: 'plain Node server listens', runs: bare },
      ...(isNode && { floor: atMost(1, seconds, ' s') }),
      goal: atMost(isNode ? 0.3 : 0.4, seconds, ' s'),
      notes: ['the answer is the acknowledgement of a stored notification, on a new data folder'],
    }
  })
}

async function measureFirstPublishes(bench: Bench): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const measure = (runtime: string, store: string): Promise<Row> =>
    measureFirstPublish(bench, runtime, ['--store', store, '--data', folder])
  try {
    await fill(bench, ['--store', 'embedded:', '--data', folder])
    const embedded = await measure('node', 'embedded:')
    return await withEtcd(async ({ store }) => {
      await fill(bench, ['--store', store])
      const rows = [embedded]
      for (const { name, scheme } of WIRES)
        rows.push(await measure(`node + etcd${name}`, store.replace('http:', scheme)))
      return rows
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function fill(bench: Bench, options: readonly string[]): Promise<void> {
  bench.say(`start: storing ${STORED}`)
  return withProcess(startServices(options), async ({ url }) => {
    await untilReady(url)
    await publishBurst({ publishUrl: url + PUBLISH_PATH, many: createNotifications().batch }, STORED)
  })
}

async function measureFirstPublish(bench: Bench, runtime: string, options: readonly string[]): Promise<Row> {
  const notifications = createNotifications()
  const ready: number[] = []
  const later: number[] = []
  const { first } = await interleave(bench.runs, {
    first: async () => {
      bench.say(`start: first publish, ${runtime}`)
      const startedAt = performance.now()
      return withProcess(startServices(options), async ({ url }) => {
        await untilReady(url)
        ready.push((performance.now() - startedAt) / 1_000)
        const publish = async (): Promise<number> => {
          const sentAt = performance.now()
          await postOnce(url + PUBLISH_PATH, notifications.next())
          return performance.now() - sentAt
        }
        const milliseconds = await publish()
        later.push(await publish())
        return milliseconds
      })
    },
  })
  return {
    name: 'first publish after a start',
    runtime,
    unit: 'ms',
    runs: first,
    limit: { name: 'the publish after it', runs: later },
    goal: atMost(50, median(first), ' ms'),
    notes: [`${STORED} stored; ready after ${showNumber(median(ready))} s`],
  }
}

/** Starts all services as a user would. */
function startServices(options: readonly string[]): Promise<BenchProcess> {
  return startProcess('node', ['scripts/serve.ts', '--port', '0', ...options], true)
}

async function medianOf(measure: () => Promise<number>): Promise<number> {
  const values: number[] = []
  for (let start = 0; start < STARTS_PER_RUN; start++) values.push(await measure())
  return median(values)
}

function startBare(): Promise<number> {
  const argv = ['scripts/bench/servers/bare_fan_out.ts']
  return withProcess(startProcess('node', argv, true), ({ startMs }) => Promise.resolve(startMs))
}

/** @returns the seconds from the start to the first stored notification */
async function measureStart(bench: Bench, runtime: BenchRuntime): Promise<number> {
  bench.say(`start: ${runtime}`)
  const folder = await mkdtemp(join(tmpdir(), 'aviso-bench-'))
  const startedAt = performance.now()
  const argv = ['scripts/serve.ts', '--port', '0', '--data', folder]
  try {
    return await withProcess(startProcess(runtime, argv, true), async ({ url }) => {
      await postUntilStored(url)
      return (performance.now() - startedAt) / 1_000
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Posts until a notification is stored. The server answers 503 until the store is open. */
async function postUntilStored(url: string): Promise<void> {
  const connection = await openConnection(url + PUBLISH_PATH)
  const body = createNotifications().next()
  for (let status = 503; status !== 200;) {
    const answer = await connection.post(body)
    status = answer.status
    if (status !== 200 && status !== 503) throw new Error(`The ingest answered ${status}: ${answer.body}`)
    if (status === 503) await new Promise((next) => setTimeout(next, RETRY_MS))
  }
  connection.close()
}
