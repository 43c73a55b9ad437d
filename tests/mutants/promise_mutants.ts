/**
 * Mutants of what keeps the promises about acknowledged notifications and positions.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

/** Every one. */
export const PROMISE_MUTANTS: readonly Mutant[] = [
  {
    file: 'shared/hub/admission.ts',
    from: 'if (revision <= upstream.standing.head() + 1n) return',
    to: 'if (revision <= upstream.standing.head() + 2n) return',
    tests: ['admission'],
  },
  {
    file: 'shared/hub/admission.ts',
    from: 'if (revision > head + 1n) {',
    to: 'if (revision > head + 2n) {',
    tests: ['admission'],
  },
  {
    file: 'shared/publish/sent.ts',
    from: 'if (!fateKnown && pending.maybeStored)',
    to: 'if (false)',
    tests: ['publisher'],
  },
  {
    file: 'shared/publish/committer.ts',
    from: 'return sent.forget(change.complete)',
    to: 'return sent.forget(true)',
    tests: ['publisher'],
  },
  {
    file: 'shared/publish/joint_txn.ts',
    from: 'const compare = [epochGuard(first?.head.epoch)]',
    to: 'const compare: never[] = []',
    tests: ['publisher', 'replaced'],
  },
  {
    file: 'shared/publish/joint_txn.ts',
    from: 'place === 0 ? batch : { ...batch, place }',
    to: 'batch',
    tests: ['jointCommit', 'jointRevision'],
  },
  {
    file: 'shared/publish/joint_commit.ts',
    from: 'if (load.length > 1 && isOfOne(error)) {',
    to: 'if (false) {',
    tests: ['jointCommit'],
  },
  {
    file: 'shared/publish/joint_commit.ts',
    from: 'now - sentAt < GATHER.mostMs',
    to: 'true',
    tests: ['jointCommit'],
  },
  {
    file: 'shared/publish/joint_txn.ts',
    from: 'if (part?.succeeded !== false)',
    to: 'if (true)',
    tests: ['jointCommit'],
  },
  {
    file: 'shared/publish/joint_txn.ts',
    from: 'compare: guardsOf(attempt, keys),',
    to: 'compare: [],',
    tests: ['jointCommit'],
  },
  {
    file: 'shared/publish/joint_txn.ts',
    from: 'notifications >= FIRST_PLACES || ',
    to: '',
    tests: ['jointCommit'],
  },
  {
    file: 'shared/journal/positions.ts',
    from: 'index: place + Math.max(0, index)',
    to: 'index: Math.max(0, index)',
    tests: ['positions', 'jointRevision'],
  },
  {
    file: 'shared/hub/source/decode.ts',
    from: 'place: place + index',
    to: 'place: index',
    tests: ['jointRevision'],
  },
  {
    file: 'shared/publish/lane.ts',
    from: 'if (!(await committer.confirm())) return false',
    to: '',
    tests: ['replaced'],
  },
  {
    file: 'shared/publish/lane.ts',
    from: 'if (!(await committer.confirm())) return true',
    to: '',
    tests: ['publisher'],
  },
  {
    file: 'shared/publish/committer.ts',
    from: 'if (lost !== undefined) await read(() => renewEpoch(store, lost, parts.random))',
    to: '',
    tests: ['replaced'],
  },
  {
    file: 'shared/publish/ledger.ts',
    from: "if (current.modRevision < known.revision) return { kind: 'replaced' }",
    to: '',
    tests: ['publisher'],
  },
  {
    file: 'shared/publish/ledger.ts',
    from: 'usedBelow = Math.max(usedBelow, head?.nextSequence ?? 1)',
    to: '',
    tests: ['replaced'],
  },
  {
    file: 'shared/hub/source/follow.ts',
    from: 'if (progress.seen !== undefined && !(await isKept(store, progress.seen, signal))) throw replaced()',
    to: '',
    tests: ['follow', 'replaced'],
  },
  {
    file: 'shared/hub/source/follow.ts',
    from: 'if (text !== epoch.known) throw replaced()',
    to: '',
    tests: ['follow'],
  },
  {
    file: 'shared/hub/source/upstream.ts',
    from: 'return (await renewEpoch(store, lost, random)).epoch',
    to: "return (await readEpoch(store))?.epoch ?? ''",
    tests: ['replaced'],
  },
  {
    file: 'shared/journal/positions.ts',
    from: 'return BigInt(outline.last) < sequence - 1n ?',
    to: 'return false ?',
    tests: ['positions', 'replaced'],
  },
  {
    file: 'shared/hub/admission.ts',
    from: "if (error.code !== 'ERR_EPOCH_CHANGED') return error",
    to: 'return error',
    tests: ['replaced'],
  },
  {
    file: 'services/admin/jobs/job_record.ts',
    from: "if (record?.state !== 'running') return record",
    to: 'return record',
    tests: ['jobs'],
  },
  {
    file: 'shared/publish/ledger.ts',
    from: 'if (error instanceof KeyDamaged && error.revision === head.revision) return true',
    to: '',
    tests: ['damaged'],
  },
  {
    file: 'shared/publish/window_commits.ts',
    from: ' || !(await isOutdated(damaged, signal))',
    to: '',
    tests: ['damaged'],
  },
  {
    file: 'shared/publish/lane.ts',
    from: "(error, 'ERR_STORE_DAMAGED', 'ERR_READ_ONLY')",
    to: "(error, 'ERR_READ_ONLY')",
    tests: ['damaged'],
  },
  {
    file: 'shared/publish/committer.ts',
    from: 'if (!(error instanceof KeyDamaged)) return false',
    to: 'return false',
    tests: ['damaged'],
  },
  {
    file: 'shared/journal/positions.ts',
    from: 'suspect = damagedFrom',
    to: 'suspect = undefined',
    tests: ['positions'],
  },
  {
    file: 'shared/store/embedded/group_commit.ts',
    from: "group.length > 1 && isAvisoError(error, 'ERR_STORE_DAMAGED')",
    to: 'false',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/txn.ts',
    from: '(isHalfDone || isDamage(error.cause))',
    to: 'isDamage(error.cause)',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/txn.ts',
    from: '(isHalfDone || isDamage(error.cause))',
    to: 'isHalfDone',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/store.ts',
    from: 'known.clear()',
    to: '',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/drop_damage.ts',
    from: 'if (readable > oldestRevision(database))',
    to: 'if (false)',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/drop_damage.ts',
    from: "for (const index of ['events_by_key', 'events_by_lease']) database.run(`REINDEX ${index}`)",
    to: '',
    tests: ['damage'],
  },
  {
    file: 'shared/store/embedded/salvage.ts',
    from: 'if (isAstray || next.revision < newest)',
    to: 'if (false)',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/salvage.ts',
    from: 'const row = readVerified(view, entry)',
    to: 'const row = undefined as SqlRow | undefined',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/salvage.ts',
    from: 'if (isVerified(row, view)) take(row)',
    to: 'if (true) take(row)',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/salvage.ts',
    from: 'gaps.push({ from: begun, to: behind })',
    to: '',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/rebuild.ts',
    from: 'if (event.isInGap && event.place % 2 === 1) putDeletion(copy, event)',
    to: '',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/rebuild.ts',
    from: "if (lastLost > 0) set('compacted', lastLost + 1)",
    to: '',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/rebuild.ts',
    from: "set('compacted', Number(newestRevision(copy)) + 1)",
    to: '',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/rebuild.ts',
    from: 'const acknowledged = acknowledgedBy({ ...old, view: undefined })',
    to: 'const acknowledged = 0n',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/loss.ts',
    from: 'if (view !== undefined && damage !== undefined) throw fileError(view, damage)',
    to: '',
    tests: ['salvage'],
  },
  {
    file: 'shared/store/embedded/snapshot.ts',
    from: 'if (!(error instanceof PageDamaged)) return error',
    to: 'return error',
    tests: ['damage'],
  },
  {
    file: 'shared/store/open/open.ts',
    from: 'const isSalvaged = acceptLoss && folder',
    to: 'const isSalvaged = folder',
    tests: ['salvage'],
  },
]
