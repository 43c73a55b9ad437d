/**
 * Measures the routes that a person looks with, over what a year leaves: a page of history, an explanation, the list of streams.
 *
 * @module
 */

import { onBothStores } from '../both_stores.ts'
import { LIVE_PATH, openListeners } from '../listeners.ts'
import { EVENT } from '../notifications.ts'
import type { Bench, RowGroup } from '../plan.ts'
import type { BenchProcess } from '../processes.ts'
import { atMost, type Row } from '../row.ts'
import { median } from '../statistics.ts'
import { fillStore } from './growth.ts'

const STORED = { full: 1_000_000, quick: 100_000 } as const
const STREAMS = { full: 10_000, quick: 1_000 } as const
/** Calls of which the median counts, in each run. */
const CALLS = 20
/** The span that is explained holds this many. */
const EXPLAINED = 300_000

/** The rows about looking. */
export const lookGroup: RowGroup = {
  name: 'look',
  summary:
    'a page of history and an explanation over 1,000,000 notifications, and a list of 10,000 streams (a tenth with --quick)',
  placement: 'together',
  measure: (bench) => onBothStores((aviso, runtime) => measure(bench, aviso, runtime)),
}

async function measure(bench: Bench, aviso: BenchProcess, runtime: string): Promise<readonly Row[]> {
  const stored = bench.isQuick ? STORED.quick : STORED.full
  bench.say(`look: storing ${stored.toLocaleString('en')}, ${runtime}`)
  const perSecond = await fillStore(aviso, stored)
  bench.say(`look: pages and explanations, ${runtime}`)
  const pages = await repeated(bench, () =>
    timed(() => ask(aviso, `/api/v1/notifications?event=${EVENT}&limit=100`)),
  )
  const spanMs = Math.round((Math.min(stored, EXPLAINED) / perSecond) * 1_000)
  const explained: number[] = []
  const looked: string[] = []
  for (let run = 0; run < bench.runs; run++) {
    const before = aviso.cpuSeconds()
    const to = Date.now()
    const body = JSON.stringify({
      event_type: EVENT,
      identifier: { class: 'od', step: '7', stream: 'enfo' },
      from: new Date(to - spanMs).toISOString(),
      to: new Date(to).toISOString(),
    })
    const answer = await ask(aviso, '/api/v1/explain', { method: 'POST', body })
    explained.push(aviso.cpuSeconds() - before)
    looked.push(lookedAt(answer))
  }
  bench.say(`look: streams, ${runtime}`)
  const count = bench.isQuick ? STREAMS.quick : STREAMS.full
  const listeners = await openListeners({ url: aviso.url, count, path: () => LIVE_PATH })
  const lists = await repeated(bench, () => timed(() => ask(aviso, '/api/v1/admin/streams?limit=100')))
  listeners.close()
  return [
    {
      name: `a page of 100 of ${stored.toLocaleString('en')} notifications, newest first`,
      runtime,
      unit: ' ms',
      runs: pages,
      goal: atMost(10, median(pages), ' ms'),
    },
    {
      name: 'an explanation of the last 300,000 notifications, processor time',
      runtime,
      unit: ' s',
      runs: explained,
      goal: atMost(1, median(explained), ' s'),
      notes: [`looked at ${looked.join(', ')}`],
    },
    {
      name: `a page of 100 of ${count.toLocaleString('en')} streams`,
      runtime,
      unit: ' ms',
      runs: lists,
      goal: atMost(100, median(lists), ' ms'),
    },
  ]
}

/** The median of several calls, once a run. */
async function repeated({ runs }: Bench, call: () => Promise<number>): Promise<number[]> {
  const medians: number[] = []
  for (let run = 0; run < runs; run++) {
    const times: number[] = []
    for (let index = 0; index < CALLS; index++) times.push(await call())
    medians.push(median(times))
  }
  return medians
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await call()
  return performance.now() - startedAt
}

async function ask({ url }: BenchProcess, path: string, init: RequestInit = {}): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url + path, { ...init, headers })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`)
  return JSON.parse(text)
}

/** How many notifications an explanation says it looked at. */
function lookedAt(answer: unknown): string {
  const { listeners } = answer as {
    readonly listeners?: readonly { readonly looked?: { readonly count?: number } }[]
  }
  return String(listeners?.[0]?.looked?.count ?? 'an unknown number')
}
