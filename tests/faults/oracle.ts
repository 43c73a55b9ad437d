/**
 * Reads the store's whole history by another client than ours (npm `etcd3`, gRPC), as the truth that the checker compares with.
 *
 * Only uninterrupted watches are trusted: a stretch is read by a fresh watch of one member, and thrown away and read anew if anything disturbs it. (That
 * client's own resumption loses events, reference/etcd-gateway.md §6.4.) Compaction never overtakes the reading: who compacts asks
 * here how far it is.
 *
 * @module
 */

import { Etcd3, type IWatchResponse } from 'etcd3'
import {
  EPOCH,
  INTERNAL,
  nameOfValue,
  toJournal,
  type JournalRecord,
  type StoredRevision,
  type Write,
} from './records.ts'

/** Reads the truth. */
export interface Oracle {
  /** Last revision that has been read. */
  readonly through: bigint
  /** Every revision so far that has a write in it. */
  readonly revisions: readonly StoredRevision[]
  /** Reads on, up to what the store holds now, trying until it succeeds. */
  readOn(): Promise<void>
  /** Reads a stretch again from one member, for comparison. */
  reread(url: string, from: bigint, through: bigint): Promise<StoredRevision[]>
  /** What the store holds now: key → name of its value; our internal keys left out. */
  state(): Promise<ReadonlyMap<string, string>>
}

/** A paused member answers nothing; another one is asked then. */
const SILENCE_MS = 1_000
const READ_MS = 1_000
const CANCEL_MS = 200
/** Longest search for a member that answers. */
const GIVE_UP_MS = 60_000
/** From the first key on, without end: etcd's way to say "everything". */
const EVERYTHING = { start: Buffer.from([0]), end: Buffer.from([0]) }

/** An oracle over some members. */
export function createOracle(urls: readonly string[]): Oracle {
  const revisions: StoredRevision[] = []
  let through = 0n
  let turn = 0

  /** Tries member after member. */
  async function tryMembers<Result>(
    read: (url: string) => Promise<Result>,
    among: readonly string[] = urls,
  ): Promise<Result> {
    let failure: unknown
    for (const limit = performance.now() + GIVE_UP_MS; performance.now() < limit;) {
      const url = among[turn % among.length] ?? ''
      try {
        return await read(url)
      } catch (error) {
        failure = error
        turn++
        await new Promise((done) => setTimeout(done, 20))
      }
    }
    throw new Error('The oracle cannot read the store', { cause: failure })
  }
  return {
    get through() {
      return through
    },
    revisions,
    readOn: async () => {
      const head = await tryMembers(readHead)
      if (head <= through) return
      revisions.push(...(await tryMembers((url) => readStretch(url, through + 1n, head))))
      through = head
    },
    reread: (url, from, last) => tryMembers(() => readStretch(url, from, last), [url]),
    state: () => tryMembers(readState),
  }
}

function connect(url: string): Etcd3 {
  return new Etcd3({
    hosts: url,
    dialTimeout: READ_MS,
    // A stretch may be larger than gRPC's usual 4 MiB.
    grpcOptions: { 'grpc.max_receive_message_length': -1 },
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + READ_MS }),
  })
}

async function readHead(url: string): Promise<bigint> {
  const client = connect(url)
  try {
    const { header } = await client.getAll().limit(1).exec()
    return BigInt(header.revision)
  } finally {
    client.close()
  }
}

async function readState(url: string): Promise<ReadonlyMap<string, string>> {
  const client = connect(url)
  try {
    const { kvs } = await client.getAll().exec()
    return new Map(
      kvs
        .map(({ key, value }) => [key.toString(), nameOfValue(value.toString())] as const)
        .filter(([key]) => !key.startsWith(INTERNAL)),
    )
  } finally {
    client.close()
  }
}

/** @throws {Error} At the first disturbance, or when nothing comes for long. */
async function readStretch(url: string, from: bigint, through: bigint): Promise<StoredRevision[]> {
  const client = connect(url)
  // Attached before it connects, so that no message comes before there is somebody to take it.
  const watcher = client.watch().inRange(EVERYTHING).startRevision(from.toString()).watcher()
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    return await new Promise<StoredRevision[]>((done, failed) => {
      const heard = (): void => {
        clearTimeout(timer)
        timer = setTimeout(() => failed(new Error('The watch is silent')), SILENCE_MS)
      }
      const found = new Map<bigint, IWatchResponse['events']>()
      watcher.on('data', ({ events }) => {
        heard()
        for (const event of events) {
          const revision = BigInt(event.kv.mod_revision)
          if (revision > through) continue
          const known = found.get(revision)
          if (known === undefined) found.set(revision, [event])
          else known.push(event)
        }
        // A message holds whole revisions, and every revision has an event.
        if (BigInt(events.at(-1)?.kv.mod_revision ?? 0) < through) return
        done([...found].map(([revision, known]) => toRevision(revision, known)))
      })
      watcher.on('disconnected', failed)
      watcher.on('error', failed)
      heard()
    })
  } finally {
    clearTimeout(timer)
    // The client connects a closed watch again for ever, unless it was cancelled; a paused member never says that it was.
    const late = new Promise((done) => (timer = setTimeout(done, CANCEL_MS)))
    await Promise.race([watcher.cancel().catch(() => undefined), late])
    clearTimeout(timer)
    client.close()
  }
}

function toRevision(revision: bigint, events: IWatchResponse['events']): StoredRevision {
  const writes: Write[] = []
  const journals: JournalRecord[] = []
  let epoch: string | undefined
  for (const { type, kv } of events) {
    const key = kv.key.toString()
    if (key === EPOCH && type === 'Put') epoch = kv.value.toString()
    const journal = type === 'Put' ? toJournal(key, kv.value.toString()) : undefined
    if (journal !== undefined) journals.push(journal)
    if (key.startsWith(INTERNAL)) continue
    if (type === 'Put') writes.push({ kind: 'put', key, value: nameOfValue(kv.value.toString()) })
    else writes.push({ kind: 'delete', key, value: '' })
  }
  return { revision, writes, journals, ...(epoch !== undefined && { epoch }) }
}
