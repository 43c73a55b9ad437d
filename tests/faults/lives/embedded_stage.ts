/**
 * Rounds of lives on the embedded store: a process is killed, and its files are damaged or put back.
 *
 * @module
 */

import { appendFile, cp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import { restoreEmbedded } from '#shared/store/open/restore.ts'
import { systemClock } from '#shared/time/clock.ts'
import type { Dice } from '../../support/dice.ts'
import { eventually } from '../../support/waiting.ts'
import { doorTo } from '../door.ts'
import type { Operation, Try } from '../records.ts'
import { behindLoss, damagePages, readLoss, type DamagedPages } from './damaged_page.ts'
import { DATABASE, INDEX, LOG, savedFolder, WITNESS, type EmbeddedSite } from './embedded_site.ts'
import type { LifeStage, Struck } from './life_records.ts'

/** Works on the files of a store whose process was killed. */
type Damage = (site: EmbeddedSite, dice: Dice) => Promise<void>

interface EmbeddedFault {
  /** While the process runs. @returns what is wrong with what it does. */
  readonly before?: (site: EmbeddedSite, parts: BeforeParts) => Promise<readonly string[]>
  readonly damage: Damage
  /** Whether pages of the file are damaged, too: what can be read is salvaged. */
  readonly isPages?: true
  /** What must be there when the loss was accepted. */
  readonly keeps: Struck['keeps']
  /** Whether it must start as if nothing had happened, because nothing that was acknowledged is damaged. */
  readonly isHarmless?: true
  /** Whether an operator has put a backup in place, so that it must start. */
  readonly isRestored?: true
}

interface BeforeParts {
  readonly dice: Dice
  readonly across: readonly Operation[]
}

/** The sentence that a refusal must hold. */
const REMEDY = /ended with 2:[^]*aviso admin restore FILE[^]*--accept-loss/
/** What a write without room is refused with, documented in `shared/ERRORS.md`. */
const FULL = 'ERR_STORE_FULL'
/** How often a process without room is killed before there is room. */
const KILLED_SHARE = 0.5
/** Garbage behind a log: less than a page of it. */
const TORN_BYTES = { least: 1, most: 4_000 } as const
/** The middle of a log, as shares of its length. */
const MIDDLE = { least: 20, most: 80 } as const

/** SQLite's log: a head, and frames of a head and a page each. */
const LOG_HEAD_BYTES = 32
const FRAME_HEAD_BYTES = 24
const PAGE_SIZE_AT = 8
const SALTS_AT = 16
const SALTS_BYTES = 8
const FRAME_SALTS_AT = 8

/** All kinds by name. */
export const EMBEDDED_FAULTS = {
  'bit flip': { damage: flipInLog, keeps: 'unknown' },
  'truncated log': { damage: truncateLog, keeps: 'unknown' },
  'torn tail': { damage: tearTail, keeps: 'everything', isHarmless: true },
  'disk full': { before: fillDisk, damage: async () => undefined, keeps: 'everything', isHarmless: true },
  'older copy while stopped': { damage: putOlderCopy, keeps: 'saved' },
  'damaged page': { before: writeIntoFile, damage: async () => undefined, keeps: 'unknown', isPages: true },
  'restore of a backup': { damage: restoreBackup, keeps: 'saved', isRestored: true },
} satisfies Readonly<Record<string, EmbeddedFault>>

export type EmbeddedStrike = keyof typeof EMBEDDED_FAULTS

export const EMBEDDED_STRIKES = Object.keys(EMBEDDED_FAULTS) as EmbeddedStrike[]

/** What a stage is made with. */
export interface StageParts {
  readonly dice: Dice
  /** Breaks the product further before it is started. */
  readonly sabotage?: ((site: EmbeddedSite) => Promise<void>) | undefined
  /** Changes what a salvage has left, as a salvage with a mistake does. */
  readonly spoil?: ((site: EmbeddedSite) => Promise<void>) | undefined
}

/** The stage of one round. */
export function embeddedStage(
  site: EmbeddedSite,
  kind: EmbeddedStrike,
  { dice, sabotage, spoil }: StageParts,
): LifeStage {
  const { server, copyTo, truth } = site
  const door = doorTo(server.url)
  const fault: EmbeddedFault = EMBEDDED_FAULTS[kind]
  return {
    ingests: [door],
    listening: [door],
    save: () => copyTo(savedFolder(site)),
    strike: async (across) => {
      const complaints = (await fault.before?.(site, { dice, across })) ?? []
      await server.stop('SIGKILL')
      await fault.damage(site, dice)
      const damaged = fault.isPages ? await damagePages(site, dice) : undefined
      await sabotage?.(site)
      const struck =
        damaged === undefined ? await startAgain(site, fault) : await salvageAndStart(site, damaged, spoil)
      return { ...struck, complaints: [...complaints, ...struck.complaints] }
    },
    truth,
  }
}

/** Starts the server, and accepts the loss where it refuses. */
async function startAgain({ server }: EmbeddedSite, fault: EmbeddedFault): Promise<Struck> {
  const refusal = await server.start().then(
    () => undefined,
    (error: unknown) => String(error),
  )
  if (refusal === undefined) return { keeps: fault.isRestored ? fault.keeps : 'everything', complaints: [] }
  await server.start(['--accept-loss'])
  const complaints = REMEDY.test(refusal) ? [] : [`The refusal names no remedy: ${refusal}`]
  if (fault.isHarmless || fault.isRestored) complaints.push(`It does not start: ${refusal}`)
  return { keeps: fault.keeps, complaints }
}

/** Starts the server, which must refuse, and accepts the loss, of which the log must tell. */
async function salvageAndStart(
  site: EmbeddedSite,
  { pages, isMarkGone, wholeFrom: before }: DamagedPages,
  spoil: StageParts['spoil'],
): Promise<Struck> {
  const { server } = site
  const complaints: string[] = []
  const refusal = await server.start().then(
    () => 'none',
    (error: unknown) => String(error),
  )
  if (!REMEDY.test(refusal)) complaints.push(`The refusal of damaged pages names no remedy: ${refusal}`)
  if (server.isRunning) await server.stop('SIGKILL')
  const told = server.log().length
  await server.start(['--accept-loss'])
  const loss = readLoss(server.log().slice(told))
  if (loss === undefined) return { keeps: 'unknown', complaints: [...complaints, 'No salvage is told of'] }
  if (spoil !== undefined) {
    await server.stop('SIGKILL')
    await spoil(site)
    await server.start()
  }
  const wholeFrom = await site.wholeFrom()
  const kept = await site.truth()
  if (!isMarkGone && wholeFrom > behindLoss(loss) && wholeFrom > before)
    complaints.push(
      `History begins at ${wholeFrom}, though nothing from ${behindLoss(loss)} on is lost; pages ${pages.join()}`,
    )
  return { keeps: 'unknown', complaints, salvaged: { loss, wholeFrom, kept } }
}

/** Has what was written so far in the file, and some of the time more in the log. */
async function writeIntoFile(
  { server }: EmbeddedSite,
  { dice, across }: BeforeParts,
): Promise<readonly string[]> {
  await server.stop('SIGTERM')
  if (!dice.chance(KILLED_SHARE)) return []
  await server.start()
  const from = across.length
  const isStored = ({ tries }: Operation): boolean => tries.some(({ outcome }) => outcome === 'stored')
  return (await holds(() => across.slice(from).some(isStored))) ? [] : ['Nothing is stored after a stop']
}

/** Takes all room until writes are refused, and gives it back: before the process is killed, or after. */
async function fillDisk(
  { server, room }: EmbeddedSite,
  { dice, across }: BeforeParts,
): Promise<readonly string[]> {
  const { pid } = server
  if (pid === undefined) return ['It does not run']
  const complaints: string[] = []
  const from = across.length
  const answers = (): readonly Try[] => across.slice(from).flatMap(({ tries }) => tries)
  await room.fill(pid)
  try {
    const isRefused = (answer: Try): boolean =>
      answer.outcome !== 'stored' && (answer.code === FULL || !room.isDisk)
    if (!(await holds(() => answers().some(isRefused))))
      complaints.push(`Writes without room are not refused with ${FULL}: ${JSON.stringify(answers().at(-1))}`)
    const { status } = await fetch(`${server.url}/ready`)
    if (status !== 200) complaints.push(`It is not ready to read without room: ${status}`)
    if (dice.chance(KILLED_SHARE)) await server.stop('SIGKILL')
  } finally {
    await room.free(pid)
  }
  const known = new Set(answers())
  const isStored = (answer: Try): boolean => answer.outcome === 'stored' && !known.has(answer)
  if (server.isRunning && !(await holds(() => answers().some(isStored))))
    complaints.push('Nothing is stored though there is room again')
  return complaints
}

/** Whether something comes true. */
function holds(condition: () => boolean): Promise<boolean> {
  return eventually('it holds', condition).then(
    () => true,
    () => false,
  )
}

async function flipInLog({ data }: EmbeddedSite, dice: Dice): Promise<void> {
  const path = join(data, LOG)
  const place = await placeInLog(path, dice)
  const bytes = await readFile(path)
  bytes[place] = (bytes[place] ?? 0) ^ (1 << dice.whole(0, 7))
  await writeFile(path, bytes)
}

async function truncateLog({ data }: EmbeddedSite, dice: Dice): Promise<void> {
  const path = join(data, LOG)
  await truncate(path, await placeInLog(path, dice))
}

/**
 * A place in the middle of the part of a log that is in use: frames with the salts of its head. What is behind them is left over from before the
 * log was begun again. (https://www.sqlite.org/fileformat2.html#the_write_ahead_log)
 */
async function placeInLog(path: string, dice: Dice): Promise<number> {
  const bytes = await readFile(path)
  const frameBytes = FRAME_HEAD_BYTES + bytes.readUInt32BE(PAGE_SIZE_AT)
  const salts = bytes.subarray(SALTS_AT, SALTS_AT + SALTS_BYTES)
  let end = LOG_HEAD_BYTES
  while (bytes.subarray(end + FRAME_SALTS_AT, end + FRAME_SALTS_AT + SALTS_BYTES).equals(salts))
    end += frameBytes
  return Math.floor((end * dice.whole(MIDDLE.least, MIDDLE.most)) / 100)
}

async function tearTail({ data }: EmbeddedSite, dice: Dice): Promise<void> {
  await appendFile(join(data, LOG), Buffer.alloc(dice.whole(TORN_BYTES.least, TORN_BYTES.most), 0xa5))
}

/** A copy that somebody made by hand; the witness of what was here may be there, or not. */
async function putOlderCopy(site: EmbeddedSite, dice: Dice): Promise<void> {
  const names = [DATABASE, LOG, INDEX, ...(dice.chance(0.5) ? [WITNESS] : [])]
  for (const name of names) await rm(join(site.data, name), { force: true })
  await cp(savedFolder(site), site.data, { recursive: true })
}

/** What `aviso admin restore FILE` does, after the database was damaged. */
async function restoreBackup(site: EmbeddedSite, dice: Dice): Promise<void> {
  await truncateLog(site, dice)
  await restoreEmbedded(join(savedFolder(site), DATABASE), {
    platform: await detectPlatform(),
    dataFolder: site.data,
    clock: systemClock,
    logger: silentLogger,
  })
}
