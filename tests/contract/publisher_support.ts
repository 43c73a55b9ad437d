/**
 * What the publisher's contract shares: items, and the history that a store tells.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { parseJournal } from '#shared/journal/codec.ts'
import { journalKey, type JournalBatch } from '#shared/journal/journal.ts'
import type { PublishItem, PublishReceipt, PublishResult } from '#shared/publish/publish.ts'
import { prefixRange, toBytes, toText } from '#shared/bytes/bytes.ts'
import type { Revision, Store } from '#shared/store/store.ts'

export const IDENTITY = { unixUser: 'aviso', hostname: 'host', version: '3.0' }

/** An item of an event type in a keyspace of its own. */
export function item(
  space: string,
  name: string,
  more: Partial<PublishItem> & { base?: string; admin?: string } = {},
): PublishItem {
  const { base = 'b', admin, ...rest } = more
  const baseKey = `/${space}/${base}/`
  return {
    event: space,
    keys: {
      stem: baseKey + name,
      base: baseKey,
      request: { name },
      ...(admin !== undefined && { admin: `/${space}/admin/${admin}` }),
    },
    value: toBytes(`value of ${name}`),
    id: randomUUID(),
    source: 'test',
    ...rest,
  }
}

export function receiptOf(result: PublishResult | undefined): PublishReceipt {
  assert.ok(result !== undefined)
  if (!result.ok) throw result.error
  return result.receipt
}

export function codeOf(result: PublishResult | undefined): string {
  assert.ok(result !== undefined)
  return result.ok ? 'ok' : result.error.code
}

/** One write, as the store's history tells it. */
export interface Write {
  readonly key: string
  readonly value: string
  readonly lease: bigint
}

/** One revision of a keyspace. */
export interface HistoryEntry {
  readonly revision: Revision
  /** In the order of writing, without the journal. */
  readonly writes: readonly Write[]
  readonly journal: JournalBatch | undefined
}

/** Everything ever written to a keyspace, read through a watch. */
export async function history(store: Store, space: string): Promise<HistoryEntry[]> {
  const marker = `/${space}/\u007fend`
  const { revision: end } = await store.txn({
    compare: [],
    success: [{ kind: 'put', key: toBytes(marker), value: toBytes('') }],
  })
  const journals = collect(store, { key: toBytes(journalKey(space)) }, end)
  const writes = collect(store, prefixRange(`/${space}/`), end)
  const journalAt = new Map(
    (await journals).map(({ revision, writes: [write] }) => [revision, write?.value ?? '']),
  )
  return (await writes)
    .filter(({ revision }) => revision !== end)
    .map((entry) => {
      const text = journalAt.get(entry.revision)
      // With a space it is another value, which has to be read as another process reads it.
      const journal = text === undefined ? undefined : parseJournal(toBytes(`${text} `), journalKey(space))
      return { ...entry, journal }
    })
}

async function collect(
  store: Store,
  range: { key: Uint8Array; end?: Uint8Array },
  end: Revision,
): Promise<{ revision: Revision; writes: Write[] }[]> {
  const entries: { revision: Revision; writes: Write[] }[] = []
  // Progress past the last write is not certain to come, so the newest write bounds the wait.
  const { kvs } = await store.range({
    ...range,
    revision: end,
    sortTarget: 'MOD',
    sortOrder: 'DESCEND',
    limit: 1,
  })
  const through = kvs[0]?.modRevision
  if (through === undefined) return entries
  for await (const message of store.watch({ ...range, from: 1n })) {
    if (message.kind === 'revision') {
      const puts = message.events.filter(({ kind }) => kind === 'put')
      const writes = puts.map(({ kv }) => ({ key: toText(kv.key), value: toText(kv.value), lease: kv.lease }))
      entries.push({ revision: message.revision, writes })
    }
    if (message.kind !== 'created' && message.revision >= through) break
  }
  return entries
}

/**
 * What must hold of any history, whatever happened: dense numbers, one journal entry per notification and the reverse, an unbroken guard chain and
 * an unbroken status chain.
 *
 * @returns The notifications, in order.
 */
export function checkHistory(entries: readonly HistoryEntry[]): {
  readonly id: string
  readonly key: string
  readonly value: string
  readonly seq: number
  readonly revision: Revision
}[] {
  const notifications = []
  const statusAt = new Map<string, Revision>()
  let previous: Revision = 0n
  let at = ''
  for (const { revision, writes, journal } of entries) {
    assert.ok(
      journal !== undefined,
      `revision ${revision} has no journal entry: ${JSON.stringify(writes.map(({ key }) => key))}`,
    )
    assert.equal(journal.prev, previous.toString(), 'the journal names its predecessor')
    assert.ok(journal.at >= at, 'time never goes back')
    assert.equal(journal.first_seq, notifications.length + 1, 'numbers are dense')
    const stored = writes.filter(({ key }) => !key.endsWith('/') && !key.includes('/admin/'))
    assert.deepEqual(
      journal.events.map(({ key }) => key),
      stored.map(({ key }) => key),
      'the journal lists what is stored, in order',
    )
    for (const { key, value } of writes.filter(({ key: name }) => name.endsWith('/'))) {
      const status = JSON.parse(value) as { message: string; prev_rev?: number }
      const before = statusAt.get(key)
      assert.equal(
        status.prev_rev,
        before === undefined ? undefined : Number(before),
        `the status chain of ${key}`,
      )
      const last = stored.findLast(({ key: name }) => name.startsWith(key))
      assert.equal(status.message, `notification to key ${last?.key}`)
      statusAt.set(key, revision)
    }
    for (const [index, { id, seq }] of journal.events.entries()) {
      notifications.push({
        id,
        seq,
        revision,
        key: stored[index]?.key ?? '',
        value: stored[index]?.value ?? '',
      })
    }
    previous = revision
    at = journal.at
  }
  return notifications
}
