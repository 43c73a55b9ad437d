/**
 * Measures how soon a started system answers.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openConnection } from '../http_load.ts'
import { createNotifications } from '../notifications.ts'
import { interleave, type Bench, type RowGroup } from '../plan.ts'
import { startProcess, type BenchRuntime } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { PUBLISH_PATH, withProcess } from '../systems.ts'

/** Several, because a start is short, and the first start reads the disk. */
const STARTS_PER_RUN = 3
const RETRY_MS = 2

/** The row about the start. */
export const startGroup: RowGroup = {
  name: 'start',
  summary: 'from the start of the process to the first notification stored, embedded store',
  placement: 'together',
  measure: async (bench) => {
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
        goal: atMost(0.4, seconds, ' s'),
        notes: ['the answer is the acknowledgement of a stored notification, on a new data folder'],
      }
    })
  },
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
