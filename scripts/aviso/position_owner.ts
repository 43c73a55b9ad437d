/**
 * Says which host uses a position, for state folders that several hosts share. Locks of files often do not reach from one host to another, so
 * there is a lease: a file that its owner writes anew while it runs.
 *
 * @module
 */

import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import * as v from 'valibot'
import type { Clock } from '#shared/time/clock.ts'
import { ClientError } from '#shared/client/client_error.ts'

/** A client on a host. */
export interface Owner {
  readonly host: string
  /** Differs from one start of the machine to the next, and between machines of one name; empty where the system does not say. */
  readonly boot: string
  readonly pid: number
}

/** How to take a position. */
export interface TakeOptions {
  /** Who takes it. */
  readonly owner: Owner
  /** What is taken, for messages. */
  readonly what: string
  readonly clock: Clock
  /** Ends the wait for another owner. */
  readonly stop?: AbortSignal | undefined
  /** Called before a wait. */
  readonly onWait?: ((message: string) => void) | undefined
  /** Whether a lock says that no other process of this host has the position. */
  readonly isLocked: boolean
}

/** A position that is held. */
export interface Ownership {
  /** @throws {ClientError} when another host has taken the position over. */
  check(): Promise<void>
  release(): void
}

/** How often an owner says that it is there. */
const RENEW_MS = 10_000
/** An owner that is silent for three renewals is gone: a shared folder that hangs for one of them is no reason to take over. */
const LEASE_MS = 30_000
/** How often another owner's file is looked at. */
const LOOK_MS = 1_000
/** Attempts to take what others take at the same time. */
const MAX_ATTEMPTS = 3

const ownerFile = v.object({
  host: v.string(),
  boot: v.string(),
  pid: v.number(),
  /** One holding of a position. */
  token: v.string(),
  renewed_at: v.string(),
})
type OwnerFile = v.InferOutput<typeof ownerFile>

/** Who is in a file into which its maker has not written yet. */
const NOBODY: OwnerFile = { host: 'another host', boot: '', pid: 0, token: '', renewed_at: '' }

/** This process. */
export function thisOwner(): Owner {
  return { host: hostname(), boot: bootOf(), pid: process.pid }
}

/** The owner of a position as people know it; `undefined` where nobody is, or it cannot be read. */
export async function ownerText(path: string): Promise<string | undefined> {
  const found = await readOwner(path).catch(() => undefined)
  return found === undefined ? undefined : textOf(found)
}

/**
 * Takes a position. Waits at most for the length of a lease when another host has it, to see whether that is still there.
 *
 * @throws {ClientError} naming the host that uses it; the file system's error.
 */
export async function takeOwnership(path: string, options: TakeOptions): Promise<Ownership> {
  const { owner, clock } = options
  const token = randomUUID()
  const candidate = `${path}.${token}`
  const write = (): Promise<void> =>
    writeOwner(candidate, { ...owner, token, renewed_at: new Date(clock.now()).toISOString() })
  try {
    await write()
    await take(path, { ...options, candidate, token })
  } catch (error) {
    await rm(candidate, { force: true })
    throw error
  }
  let isReleased = false
  const renew = async (): Promise<void> => {
    if ((await readOwner(path))?.token !== token) return
    await write()
    // A listener that has ended must not leave a file that others wait for.
    if (isReleased) await rm(candidate, { force: true })
    else await rename(candidate, path)
  }
  // A folder that cannot be reached is met by the next save.
  const stopRenewing = clock.every(RENEW_MS, () => void renew().catch(() => undefined))
  return {
    async check() {
      const found = await readOwner(path)
      // Somebody has emptied the folder: it is taken again.
      if (found === undefined) return take(path, { ...options, candidate, token, write })
      if (found.token === token) return
      throw new ClientError(
        `${options.what} was taken over by ${textOf(found)}, because this client was silent for ${LEASE_MS / 1000} s: it must not run on two hosts`,
      )
    },
    release() {
      isReleased = true
      stopRenewing()
      releaseNow(path, token)
    },
  }
}

interface Taking extends TakeOptions {
  /** File that says that this process is the owner. */
  readonly candidate: string
  readonly token: string
  /** Makes the file where it is not there. */
  readonly write?: () => Promise<void>
}

async function take(path: string, taking: Taking): Promise<void> {
  await taking.write?.()
  for (let attempt = 1; ; attempt++) {
    const found = await claim(path, taking)
    if (found === undefined) return
    if (attempt === MAX_ATTEMPTS) throw usedElsewhere(taking.what, textOf(found))
    if (!isGone(found, taking)) await outwait(path, found, taking)
    await rename(taking.candidate, path)
    // Two hosts may have found the same owner gone. The last one has it.
    if ((await readOwner(path))?.token === taking.token) return
    await taking.write?.()
  }
}

/** Makes the file of the owner. @returns the owner that there is already */
async function claim(path: string, { candidate }: Taking): Promise<OwnerFile | undefined> {
  const content = await readFile(candidate, 'utf8')
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(content).finally(() => file.close())
    await rm(candidate, { force: true })
    return undefined
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    // It may be given up at this moment. Then the file is renamed into its place.
    return (await readOwner(path)) ?? NOBODY
  }
}

/** Whether a former owner of this host has ended. */
function isGone({ host, boot, pid }: OwnerFile, { owner, isLocked }: Taking): boolean {
  if (host !== owner.host || boot !== owner.boot) return false
  return isLocked || pid === owner.pid || !isRunning(pid)
}

/** Waits until the lease of another owner is over. @throws {ClientError} as soon as it is renewed. */
async function outwait(path: string, found: OwnerFile, taking: Taking): Promise<void> {
  const { candidate, clock, stop, what, onWait } = taking
  // Both times are of the file server, so clocks of hosts that differ do not matter.
  const [mine, theirs] = await Promise.all([stat(candidate), stat(path)])
  const leftMs = LEASE_MS - Math.max(0, mine.mtimeMs - theirs.mtimeMs)
  if (leftMs > 0) {
    onWait?.(
      `${what} is used by ${textOf(found)}. Waiting up to ${Math.ceil(leftMs / 1000)} s to see whether it is still there`,
    )
  }
  const until = clock.monotonic() + leftMs
  while (clock.monotonic() < until) {
    await clock.sleep(LOOK_MS, stop)
    if (stop?.aborted === true) throw usedElsewhere(what, textOf(found))
    const now = await readOwner(path)
    // Given up.
    if (now === undefined) return
    if (now.token !== found.token || now.renewed_at !== found.renewed_at)
      throw usedElsewhere(what, textOf(now))
  }
}

function usedElsewhere(what: string, who: string): ClientError {
  return new ClientError(
    `${what} is already running, on ${who}, with the same state folder: stop it there, give one of them a "name", or another --state folder`,
  )
}

function textOf({ host, pid, renewed_at: at }: OwnerFile): string {
  return at === '' ? host : `host ${host} (process ${pid}, last seen ${at})`
}

/** @returns who is in the file; `undefined` when there is no such file. */
async function readOwner(path: string): Promise<OwnerFile | undefined> {
  try {
    return parseOwner(await readFile(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseOwner(text: string): OwnerFile {
  try {
    return v.parse(ownerFile, JSON.parse(text))
  } catch {
    return NOBODY
  }
}

async function writeOwner(path: string, content: OwnerFile): Promise<void> {
  const file = await open(path, 'w', 0o600)
  await file.writeFile(`${JSON.stringify(content)}\n`).finally(() => file.close())
}

/** At once, because the process may be about to end. */
function releaseNow(path: string, token: string): void {
  try {
    if (parseOwner(readFileSync(path, 'utf8')).token === token) rmSync(path, { force: true })
  } catch {
    // The next owner waits for the end of the lease.
  }
}

function bootOf(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
