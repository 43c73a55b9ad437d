/**
 * The command `aviso admin migrate`: copies an embedded store to etcd, or an etcd to an embedded store or another etcd, with its history.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { refuseLoss } from '#shared/store/embedded/loss.ts'
import { openEmbeddedStore } from '#shared/store/embedded/store.ts'
import { parseStoreAddress } from '#shared/store/open/address.ts'
import { embeddedLeases, etcdLeases, type LeaseSeconds } from '#shared/store/open/leases.ts'
import type { Revision, Store } from '#shared/store/store.ts'
import type { CommandContext } from './context.ts'
import { printAnswer } from './answer.ts'
import { percent } from './figures.ts'
import { compareContents, type Contents } from './migrate/compare.ts'
import { importHistory } from './migrate/import_history.ts'
import { mappedValue } from './migrate/mapped_value.ts'
import { replay } from './migrate/replay.ts'
import { boundsOf, revisionsOf, type SourceBounds } from './migrate/source.ts'
import { stillClock } from './migrate/still_clock.ts'
import {
  explained,
  nameStore,
  openNamed,
  requireEmbedded,
  type NamedStore,
  type ServicesFlags,
} from './services_store.ts'

/** Flags of the command. */
export interface MigrateFlags extends Omit<ServicesFlags, 'store'> {
  readonly from: string
  readonly to: string
}

/** A store that is read. */
interface Source {
  readonly store: Store
  readonly leases: LeaseSeconds
}

/** What was done. */
interface Migrated extends Contents {
  readonly isExact: boolean
}

/** @throws {ClientError} where it was not done; the message says what state the target is in. */
export async function migrate(flags: MigrateFlags, context: CommandContext): Promise<void> {
  const { output } = context
  await explained(async () => {
    const from = await nameStore({ ...flags, store: flags.from }, output)
    const to = await nameStore({ ...flags, store: flags.to }, output)
    refusePair(from, to)
    if (!isEmbedded(from))
      output.log('INFO', 'Nothing may write to the source meanwhile: all services of it must be stopped.')
    const source = await openSource(from)
    try {
      const bounds = await boundsOf(source.store)
      const onProgress = (what: string, revision: Revision): void =>
        output.status(
          `${what}${percent(Number(revision), Number(bounds.head))}, revision ${revision} of ${bounds.head}`,
        )
      const done = isEmbedded(to)
        ? await intoEmbedded(source, to, bounds, onProgress)
        : await intoEtcd(source, to, bounds, onProgress)
      output.clearStatus()
      const json = {
        from: flags.from,
        to: flags.to,
        keys: done.keys,
        sha256: done.sha256,
        exact: done.isExact,
        base: String(bounds.base),
        head: String(bounds.head),
      }
      printAnswer({ text: report(done, bounds, flags), json }, context)
    } finally {
      await source.store.close()
    }
  })
}

function report(
  { keys, sha256, isExact }: Migrated,
  { base, head }: SourceBounds,
  flags: MigrateFlags,
): string {
  const kept =
    base > 0n ? `the history from revision ${base} to ${head}` : `the whole history to revision ${head}`
  return [
    `Copied ${flags.from} to ${flags.to}: ${kept}. Verified: ${keys} keys, SHA-256 ${sha256}.`,
    isExact
      ? 'Revisions stayed what they were, so every position stays valid.'
      : 'Revisions are others now, and the epoch is a new one: positions are refused, numbers and dates stay valid.',
    `Start the services with --store ${flags.to}.`,
  ].join('\n')
}

type OnProgress = (what: 'reading' | 'writing', revision: Revision) => void

async function intoEtcd(
  { store: source, leases }: Source,
  to: NamedStore,
  bounds: SourceBounds,
  onProgress: OnProgress,
): Promise<Migrated> {
  const target = await openNamed(to)
  try {
    const { random } = to.parts.platform
    const { isExact, map, head, finish } = await replay({
      source,
      bounds,
      target,
      leases,
      random,
      onProgress,
    })
    await refuseChanged(source, bounds)
    const contents = await compareContents(
      { store: source, revision: bounds.head, ...(!isExact && { mapped: (kv) => mappedValue(kv, map.at) }) },
      { store: target, revision: head },
    )
    await finish()
    return { ...contents, isExact }
  } finally {
    await target.close()
  }
}

async function intoEmbedded(
  { store: source, leases }: Source,
  to: NamedStore,
  bounds: SourceBounds,
  onProgress: OnProgress,
): Promise<Migrated> {
  let contents: Contents | undefined
  await importHistory({
    source,
    bounds,
    leases,
    target: to.parts,
    onProgress,
    verify: async (copy) => {
      await refuseChanged(source, bounds)
      const { head: revision } = bounds
      contents = await compareContents({ store: source, revision }, { store: copy, revision })
    },
  })
  if (contents === undefined) throw new TypeError('The copy was put in place without being verified')
  return { ...contents, isExact: true }
}

/** @throws {AvisoError} `ERR_CONFLICT` where the source was written meanwhile. The end of a lease is no write: it comes in the copy, too. */
async function refuseChanged(source: Store, { head }: SourceBounds): Promise<void> {
  const { revision } = await source.status()
  if (revision === head) return
  for await (const { events } of revisionsOf(source, { base: head, head: revision })) {
    if (events.every(({ kind }) => kind === 'delete')) continue
    throw new AvisoError(
      'ERR_CONFLICT',
      'The source was written meanwhile: stop its services, empty the target, and begin again',
    )
  }
}

function refusePair(from: NamedStore, to: NamedStore): void {
  if (from.parts.bearer !== undefined)
    throw new AvisoError(
      'ERR_READ_ONLY',
      'The services have another Aviso as their store: migrate its store, there',
    )
  if (from.address === 'embedded:memory' || to.address === 'embedded:memory')
    throw new AvisoError('ERR_CONFIG', 'embedded:memory keeps nothing: name another store')
  if (isEmbedded(from) && isEmbedded(to))
    throw new AvisoError('ERR_CONFIG', 'Both stores are embedded: use "aviso admin backup" and "restore"')
  if (from.address === to.address) throw new AvisoError('ERR_CONFIG', 'Both stores are the same one')
}

function isEmbedded({ address }: NamedStore): boolean {
  return parseStoreAddress(address).kind === 'embedded'
}

async function openSource(from: NamedStore): Promise<Source> {
  const { address, parts } = from
  if (!isEmbedded(from)) return { store: await openNamed(from), leases: await etcdLeases(address, parts) }
  const { platform, clock, logger, dataFolder } = parts
  requireEmbedded(dataFolder)
  const database = await platform.openDatabase(dataFolder, {
    check: refuseLoss,
    warn: (message) => logger('warn', message),
  })
  const leases = embeddedLeases(database, () => clock.now())
  return { store: openEmbeddedStore(database, { clock: stillClock(clock), logger }), leases }
}
