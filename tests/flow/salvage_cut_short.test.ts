/** A salvage and a restore that a SIGKILL or a full disk cuts short: nothing is lost, the next start says what to do, and that works. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it, type TestContext } from 'node:test'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import { silentLogger } from '#shared/logger.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { SalvageSteps } from '#shared/runtime/runtime.ts'
import { salvageDatabase } from '#shared/runtime/salvage_database.ts'
import { restoreEmbedded } from '#shared/store/open/restore.ts'
import type { Revision, Store, StoreOperation } from '#shared/store/store.ts'
import { systemClock } from '#shared/time/clock.ts'
import { openRoom } from '../faults/lives/room.ts'
import { createDice } from '../support/dice.ts'
import { serveCommand, temporaryFolder } from '../support/server.ts'
import {
  copyFolder,
  DATABASE,
  fingerprint,
  LOG,
  open,
  put,
  WITNESS,
} from '../unit/shared/store/embedded/files.ts'
import { takeImages } from './crash_images.ts'

const PAGE_BYTES = 4_096
/** Puts that are in the database's file, and those that are in its log alone. */
const [IN_FILE, IN_LOG] = [60, 10]
/** Puts of a store whose salvage takes long enough to be killed in it. */
const MANY = 3_000
/** Puts of one transaction. */
const TOGETHER = 10
const SEED = 20_261_130
const KILLS = 2
/** About what a salvage of so many puts takes. */
const LONGEST_MS = 100
const DISK_MEGABYTES = 8
const FILLER = 'filler'
/** Room on the disk, for a store of 190 KiB. */
const ROOMS_KIB = [0, 16, 32, 48, 64, 128, 256, 384, 448, 512, 576, 640, 1_024, 2_048]
const REMEDY = /"aviso admin restore FILE",? or start once with --accept-loss/
const OLD_FILES = [DATABASE, LOG, WITNESS]

const keyOf = (index: number): string => `/tmp/mars/${String(index).padStart(5, '0')}`
const valueOf = (index: number): string => `value ${index} of many ${'x'.repeat(1_500)}`

/** What a store holds. */
interface Contents {
  readonly revision: Revision
  readonly values: readonly (readonly [key: string, value: string])[]
}

async function contentsOf(store: Store): Promise<Contents> {
  const { kvs } = await store.range(prefixRange('/tmp/'))
  const { revision } = await store.status()
  return { revision, values: kvs.map(({ key, value }) => [toText(key), toText(value)]) }
}

/** Opens a store, and closes it. @param lines Gets what is logged. */
async function start(folder: string, acceptLoss = false, lines: string[] = []): Promise<Contents> {
  const store = await open(folder, { acceptLoss, lines })
  try {
    return await contentsOf(store)
  } finally {
    await store.close()
  }
}

/** A store as a SIGKILL leaves it: what came last is in its log alone. */
async function makeStore(folder: string, name: string, inFile = IN_FILE): Promise<string> {
  const first = join(folder, `open-${name}`)
  const earlier = await open(first)
  await putMany(earlier, 0, inFile)
  await earlier.close()
  await copyFile(join(first, WITNESS), join(folder, `${name}-${WITNESS}`))
  const store = await open(first)
  await putMany(store, inFile, IN_LOG)
  const killed = await copyFolder(first, join(folder, name))
  await store.close()
  return killed
}

/** All at once, so that the store commits them together. */
async function putMany(store: Store, from: number, count: number): Promise<void> {
  const revisions = Array.from({ length: count / TOGETHER }, (_, revision) =>
    Array.from({ length: TOGETHER }, (__, place): StoreOperation => {
      const index = from + revision * TOGETHER + place
      return { kind: 'put', key: toBytes(keyOf(index)), value: toBytes(valueOf(index)) }
    }),
  )
  await Promise.all(revisions.map((success) => store.txn({ compare: [], success })))
}

/** Destroys the page of a value. */
async function damage(folder: string, index: number): Promise<void> {
  const path = join(folder, DATABASE)
  const bytes = await readFile(path)
  const at = bytes.indexOf(valueOf(index))
  assert.ok(at > 0)
  bytes.fill(0xff, at - (at % PAGE_BYTES), at - (at % PAGE_BYTES) + 16)
  await writeFile(path, bytes)
}

/** Exactly one folder holds the damaged store, whole, and nothing else is left over. */
async function assertAside(folder: string, old: Readonly<Record<string, string>>, where: string) {
  const names = await readdir(folder)
  // An empty file, whose lock is gone, is no harm.
  const left = names.filter((name) => /restore|pending|new$/.test(name) && name !== 'aviso.restore.lock')
  const asides = names.filter((name) => name.startsWith('damaged-'))
  assert.deepEqual([left, asides.length], [[], 1], where)
  const moved = await fingerprint(join(folder, asides[0] ?? ''))
  for (const name of OLD_FILES) assert.equal(moved[name], old[name], `${name}, ${where}`)
}

/** The old files are as they were, the start is refused and names the remedy, and that has the expected result. */
async function assertUntouchedAndMended(
  folder: string,
  { old, expected }: { readonly old: Readonly<Record<string, string>>; readonly expected: Contents },
  where: string,
): Promise<void> {
  const now = await fingerprint(folder)
  for (const name of OLD_FILES) assert.equal(now[name], old[name], `${name}, ${where}`)
  await assert.rejects(start(folder), REMEDY, where)
  assert.deepEqual(await start(folder, true), expected, where)
  await assertAside(folder, old, where)
}

/** A folder of what was there holds the old database and its log, whole. */
async function assertKept(folder: string, old: Readonly<Record<string, string>>, where: string) {
  const entries = await readdir(folder, { withFileTypes: true })
  const asides = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => fingerprint(join(folder, name))),
  )
  assert.ok(
    asides.some((aside) => aside[DATABASE] === old[DATABASE] && aside[LOG] === old[LOG]),
    where,
  )
}

describe('what takes the place of an embedded store and is cut short', () => {
  let base: string
  let old: Readonly<Record<string, string>>
  /** What a salvage that nothing disturbs makes of it. */
  let expected: Contents
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-cut-short-'))
    base = await makeStore(folder, 'base')
    await damage(base, 20)
    old = await fingerprint(base)
    expected = await start(await copyFolder(base, join(folder, 'whole')), true)
    assert.equal(expected.values.at(-1)?.[0], keyOf(IN_FILE + IN_LOG - 1), 'what was in the log is kept')
    assert.ok(expected.values.length < IN_FILE + IN_LOG)
  })
  after(() => rm(folder, { recursive: true, force: true }))

  it('is a salvage: after each step the next start has its result, or names the remedy, which has the same result', async (context) => {
    const folder = await copyFolder(base, join(await temporaryFolder(context), 'data'))
    const images = await takeImages(folder, await temporaryFolder(context), () => start(folder, true))
    const states = { refused: 0, new: 0 }
    for (const { folder: image, before: where } of images) {
      const started = await start(image).catch((error: unknown) => {
        assert.match(String(error), REMEDY, where)
        return start(image, true).finally(() => states.refused++)
      })
      assert.deepEqual(started, expected, where)
      await assertAside(image, old, where)
    }
    states.new = images.length - states.refused
    assert.ok(states.refused > 10 && states.new > 10, JSON.stringify(states))
  })

  it('is a restore: after each step the next start has the old store, or the new one, or is refused, and a second restore works', async (context) => {
    const own = await temporaryFolder(context)
    const folder = await makeStore(own, 'data')
    const backup = await open(join(own, 'backup'))
    await put(backup, keyOf(0), 'from the backup')
    await backup.close()
    const before = await start(await copyFolder(folder, join(own, 'before')))
    const files = await fingerprint(folder)
    const restore = async (dataFolder: string): Promise<unknown> => {
      const parts = { platform: await detectPlatform(), clock: systemClock, logger: silentLogger }
      return restoreEmbedded(join(own, 'backup', DATABASE), { ...parts, dataFolder })
    }
    const images = await takeImages(folder, await temporaryFolder(context), () => restore(folder))
    const restored = await start(folder)
    const states = { old: 0, new: 0, refused: 0 }
    for (const { folder: image, before: where } of images) {
      const second = `${image}-second`
      await cp(image, second, { recursive: true })
      const started = await start(image).catch((error: unknown) => {
        assert.match(String(error), REMEDY, where)
        states.refused++
        return start(image, true)
      })
      const isOld = started.values.length === before.values.length
      states[isOld ? 'old' : 'new']++
      assert.deepEqual(started.values, isOld ? before.values : restored.values, where)
      await restore(second)
      await assertKept(second, files, where)
      assert.deepEqual((await start(second)).values, restored.values, where)
    }
    assert.ok(states.old > 10 && states.new > 1 && states.refused > 0, JSON.stringify(states))
  })

  it('is a salvage that is killed at some time: the next one has the same result', async (context) => {
    const own = await temporaryFolder(context)
    const folder = await makeStore(own, 'data', MANY)
    await damage(folder, 20)
    const dice = createDice(SEED)
    const whole = await start(await copyFolder(folder, join(own, 'whole')), true)
    const files = await fingerprint(folder)
    for (let kill = 0; kill < KILLS; kill++) {
      const copy = await copyFolder(folder, join(own, `kill-${kill}`))
      const isDone = await killServer(copy, dice.whole(0, LONGEST_MS))
      if (isDone) assert.deepEqual(await start(copy), whole)
      else await assertUntouchedAndMended(copy, { old: files, expected: whole }, `kill ${kill}`)
    }
  })

  /** Works on a small disk of its own, where one can be mounted. */
  async function onSmallDisk(context: TestContext, work: (disk: string) => Promise<void>): Promise<void> {
    const disk = await mkdtemp(join(folder, 'disk-'))
    const room = await openRoom(disk, DISK_MEGABYTES)
    try {
      if (room.isDisk) await work(disk)
      else context.skip('no disk of its own can be mounted here')
    } finally {
      await room.close()
    }
  }

  it('is a salvage on a full disk: it says so and changes nothing, and with room it has the same result', (context) =>
    onSmallDisk(context, async (disk) => {
      const states = { refused: 0, done: 0 }
      for (const kib of ROOMS_KIB) {
        const data = await copyFolder(base, join(disk, 'data'))
        leaveRoom(disk, kib * 1_024)
        const refusal = await start(data, true).then(
          () => undefined,
          (error: unknown) => String(error),
        )
        await rm(join(disk, FILLER))
        await assertFull(data, refusal, `with ${kib} KiB`)
        states[refusal === undefined ? 'done' : 'refused']++
        await rm(data, { recursive: true })
      }
      assert.ok(states.refused > 5 && states.done > 1, JSON.stringify(states))
    }))

  it('is a salvage whose end did not fit: there being room a moment later does not put a part of it in place', (context) =>
    onSmallDisk(context, async (disk) => {
      const data = await copyFolder(base, join(disk, 'data'))
      const steps: SalvageSteps = {
        fill: async (_, copy) => {
          copy.run('CREATE TABLE large (bytes BLOB)')
          copy.run('INSERT INTO large VALUES (?)', new Uint8Array(DISK_MEGABYTES * 100_000))
          leaveRoom(disk, 0)
          return new Uint8Array(0)
        },
        // Asked for when the new database is put in place.
        get aside() {
          rmSync(join(disk, FILLER))
          return 'damaged-aside'
        },
      }
      await assert.rejects(salvageDatabase(data, steps), /make twice as much room/)
      await rm(join(disk, FILLER), { force: true })
      await assertUntouchedAndMended(data, { old, expected }, 'full at its end')
    }))

  /** What must hold when there is room again. */
  async function assertFull(data: string, refusal: string | undefined, where: string): Promise<void> {
    if (refusal === undefined) return assert.deepEqual(await start(data), expected, where)
    assert.match(refusal, /\broom\b/, where)
    const left = (await readdir(data)).filter((name) => !(name in old))
    assert.deepEqual(left, [], where)
    await assertUntouchedAndMended(data, { old, expected }, where)
  }

  it('is told by its own files: a start is refused also where the witness does not miss what is in the log', async (context) => {
    const own = await temporaryFolder(context)
    const data = await makeStore(own, 'data')
    const whole = await start(await copyFolder(data, join(own, 'whole')))
    // A power cut may take the last writes of the witness.
    await copyFile(join(own, `data-${WITNESS}`), join(data, WITNESS))
    const pending = join(data, 'aviso.pending-replaced-then')
    await mkdir(pending)
    await rename(join(data, LOG), join(pending, LOG))
    await writeFile(join(data, 'aviso.restore.sqlite'), '')
    await assert.rejects(
      start(data),
      /was being replaced when that was cut short.*or start once with --accept-loss/,
    )
    const later = await copyFolder(data, join(own, 'later'))
    await cp(pending, join(later, basename(pending)), { recursive: true })
    await writeFile(join(later, LOG), 'of a program that does not know that')
    await assert.rejects(start(later, true), /There are two logs of the embedded store/)
    assert.deepEqual(await start(data, true), whole)
    assert.deepEqual((await readdir(data)).toSorted(), [DATABASE, WITNESS])
  })

  it('is done by one process at a time', async (context) => {
    const folder = await copyFolder(base, join(await temporaryFolder(context), 'data'))
    const results = await Promise.allSettled([start(folder, true), start(folder, true)])
    const refusals = results.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
    assert.match(
      refusals.join(),
      /is being replaced by another process: wait for its end|is in use by another/,
    )
    assert.equal(refusals.length, 1)
    assert.deepEqual(await start(folder), expected)
    await assertAside(folder, old, 'beside another')
  })
})

/** Starts a server that salvages a store, and kills it so long after it has begun to. @returns Whether it was done before. */
async function killServer(folder: string, ms: number): Promise<boolean> {
  const [command, ...options] = serveCommand('node')
  const argv = [...options, '--port', '0', '--data', folder, '--accept-loss']
  const child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      if (line.includes('what can be read is copied')) break
    }
    await new Promise((done) => setTimeout(done, ms))
  } finally {
    child.kill('SIGKILL')
    await exited
  }
  return (await readdir(folder)).some((name) => name.startsWith('damaged-'))
}

function leaveRoom(disk: string, bytes: number): void {
  const { bsize, bavail } = statfsSync(disk)
  writeFileSync(join(disk, FILLER), Buffer.alloc(Math.max(0, bavail * bsize - bytes)))
}
