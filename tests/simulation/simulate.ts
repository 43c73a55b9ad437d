/**
 * `npm run simulate`: a year of the admin's work in minutes, on the embedded store and on a real etcd.
 *
 * @module
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { openStore } from '#shared/store/open/open.ts'
import { openMaintenance } from '#shared/store/open/maintenance.ts'
import { systemClock } from '#shared/time/clock.ts'
import { silentLogger } from '#shared/logger.ts'
import { readMetric } from '../../scripts/bench/etcd_figures.ts'
import { startEtcd } from '../../scripts/etcd/cluster.ts'
import { simulate, type DayFigures, type Year, type YearFigures } from './year.ts'

const USAGE =
  'npm run simulate -- [--days 365] [--per-day 1000] [--retention 15] [--store embedded|etcd|both]'
/** Days between two lines of the table. */
const LINE_DAYS = 30

/**
 * etcd drops versions in the background, a thousand in 10 ms, in as many turns as it was told to compact: a year of hourly ones takes half an
 * hour, so its compactor runs less often here, and etcd is told to rest less often.
 */
const ETCD_COMPACT_EVERY_HOURS = 6
const ETCD_FLAGS = ['--experimental-compaction-batch-limit=1000000']

const SETTLE_POLL_MS = 20
const MIB = 1024 * 1024

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      days: { type: 'string', default: '365' },
      'per-day': { type: 'string', default: '1000' },
      retention: { type: 'string', default: '15' },
      store: { type: 'string', default: 'both' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const numbers = {
    days: Number(values.days),
    perDay: Number(values['per-day']),
    retentionDays: Number(values.retention),
  }
  const isUsable = Object.values(numbers).every((number) => Number.isInteger(number) && number > 0)
  if (values.help || !isUsable || !['embedded', 'etcd', 'both'].includes(values.store)) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  if (values.store !== 'etcd') await run('embedded store', numbers, withEmbedded)
  if (values.store !== 'embedded')
    await run('etcd', { ...numbers, compactEveryHours: ETCD_COMPACT_EVERY_HOURS }, withEtcd)
  return 0
}

type Numbers = Pick<Year, 'days' | 'perDay' | 'retentionDays' | 'compactEveryHours'>
type With = (use: (open: Year['open']) => Promise<void>) => Promise<void>

async function run(name: string, numbers: Numbers, withStore: With): Promise<void> {
  console.log(
    `\n${name}: ${numbers.days} days of ${numbers.perDay} notifications, retention ${numbers.retentionDays} days`,
  )
  console.log('   day   revision   notifications   file MiB   in use MiB   history days')
  const startedAt = performance.now()
  await withStore(async (open) => {
    const onDay = (figures: DayFigures): void => {
      if ((figures.day + 1) % LINE_DAYS === 0 || figures.day + 1 === numbers.days)
        console.log(toLine(figures))
    }
    summarise(await simulate({ ...numbers, open, onDay }), numbers, performance.now() - startedAt)
  })
}

function toLine({
  day,
  revision,
  notifications,
  sizeBytes,
  sizeInUseBytes,
  historyDays,
}: DayFigures): string {
  const cells = [
    day + 1,
    revision,
    notifications,
    (sizeBytes / MIB).toFixed(2),
    (sizeInUseBytes / MIB).toFixed(2),
    historyDays.toFixed(1),
  ]
  const widths = [6, 11, 16, 11, 13, 15]
  return cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0)).join('')
}

function summarise(
  { days, published, deleted, replays, leastHistoryDays }: YearFigures,
  { retentionDays }: Numbers,
  tookMs: number,
): void {
  // Full size takes two retentions, the longest gap and a night: a deleted notification stays in history until its deletion is old, too.
  const settledFrom = 2 * retentionDays + 3
  const settled = days.filter(({ day }) => day >= settledFrom).map(({ sizeInUseBytes }) => sizeInUseBytes)
  console.log(
    `published ${published}, deleted ${deleted}, replays from within the retention ${replays}, all found`,
  )
  if (settled.length > 0) {
    const spread = (100 * (Math.max(...settled) - Math.min(...settled))) / Math.max(...settled)
    console.log(
      `history never reached back less than ${leastHistoryDays.toFixed(2)} days; in use from day ${settledFrom} on: ±${(spread / 2).toFixed(1)} %`,
    )
  }
  console.log(`no compaction was early; ${(tookMs / 1000).toFixed(0)} s`)
}

async function withEmbedded(use: (open: Year['open']) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-simulate-'))
  try {
    const platform = await detectPlatform()
    await use(async (clock) => ({
      store: await openStore('embedded:', { platform, dataFolder: folder, clock, logger: silentLogger }),
    }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function withEtcd(use: (open: Year['open']) => Promise<void>): Promise<void> {
  const etcd = await startEtcd({ flags: ETCD_FLAGS })
  try {
    const platform = await detectPlatform()
    // The store's own time limits are real.
    const parts = { platform, dataFolder: '', clock: systemClock, logger: silentLogger }
    await use(async () => ({
      store: await openStore(etcd.store, parts),
      maintenance: await openMaintenance(etcd.store, parts),
      settle: () => compactionsDone(etcd.endpoints[0] ?? ''),
    }))
  } finally {
    await etcd.close()
  }
}

/** Waits until etcd has dropped what every compaction made unreadable. */
async function compactionsDone(endpoint: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${endpoint}/metrics`)).text()
    const begun = readMetric(text, 'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds_count')
    const ended = readMetric(text, 'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_count')
    if (ended >= begun) return
    await systemClock.sleep(SETTLE_POLL_MS)
  }
}

process.exitCode = await main(process.argv.slice(2))
process.exit()
