import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CommanderError } from 'commander'
import { administrate } from '../../../../scripts/aviso/admin.ts'
import { adminStatusText } from '../../../../scripts/aviso/admin_status.ts'
import { createProgram, type Invocation } from '../../../../scripts/aviso/program.ts'
import { DAY_MS, day, keysUnder, mars, put } from '../../services/admin/jobs/fixture.ts'
import { adminContext } from './admin_context.ts'

const FLIGHTS = '/tmp/aviso/flight/'

describe('administrate()', () => {
  it('runs a job and prints its result', async () => {
    const { context, output, store } = adminContext()
    await put(store, mars(day(20)), mars(day(1)))
    await administrate({ kind: 'job', job: 'clean', options: { dryRun: true } }, context)
    await administrate({ kind: 'job', job: 'clean', options: {} }, context)
    const [dry, real] = output.results.map((text) => JSON.parse(text) as Record<string, unknown>)
    assert.deepEqual(
      [dry?.['deleted'], dry?.['dry_run'], real?.['deleted'], real?.['dry_run']],
      [1, true, 1, false],
    )
    assert.equal((await keysUnder(store, '/ec/mars/')).length, 1)
  })
  it('hands every option on', async () => {
    const { context, clock, store } = adminContext()
    await administrate({ kind: 'job', job: 'compact', options: {} }, context)
    await put(store, mars(day(20)))
    const options = { byDate: true, full: true, events: ['mars'] }
    clock.pass(200 * DAY_MS)
    await assert.rejects(
      administrate({ kind: 'job', job: 'clean', options }, context),
      /status 409: The clock is 200d ahead/,
    )
    await administrate({ kind: 'job', job: 'clean', options: { ...options, trustClock: true } }, context)
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [])
  })
  it('prints the status, as tables or as JSON', async () => {
    const { context, output } = adminContext()
    await administrate({ kind: 'status' }, context)
    const [text = ''] = output.results
    assert.match(
      text,
      /^store +\S+, revision \d+, .*in use\)\nhistory +kept for 16d.*\nretention +15d\nbackup +none/,
    )
    await administrate({ kind: 'job', job: 'compact', options: {} }, context)
    await administrate({ kind: 'status' }, { ...context, json: true })
    const status = JSON.parse(output.results[2] ?? '') as Record<string, unknown>
    assert.deepEqual(Object.keys(status), ['clock', 'store', 'retention', 'history', 'jobs', 'schedule'])
    await administrate({ kind: 'status' }, context)
    assert.match(output.results[3] ?? '', /\n\nJOB +STATE +AT +RESULT\ncompact +done +\d{4}-.*Z +.*outcome/)
  })
  it('says when jobs are due, also those that never ran', () => {
    const schedule = { compact: { cron: '0 * * * *', next: '2026-11-30T05:00:00.000Z' } }
    const text = adminStatusText({ jobs: {}, schedule })
    assert.match(text, /\nJOB +STATE +AT +NEXT +RESULT\ncompact +2026-11-30T05:00:00\.000Z/)
  })
  it('deletes and wipes', async () => {
    const { context, output, publish, store } = adminContext()
    await publish('AZ1')
    await publish('AZ2')
    await administrate({ kind: 'delete', id: 'flight@1' }, context)
    assert.match(output.results[0] ?? '', /"message": "Notification flight@1 deleted"/)
    await administrate({ kind: 'wipe', stream: 'FLIGHT', options: {} }, context)
    assert.deepEqual(await keysUnder(store, FLIGHTS), [FLIGHTS])
    await put(store, mars(day(1)))
    await administrate({ kind: 'wipe', stream: undefined, options: {} }, context)
    assert.deepEqual(await keysUnder(store, '/ec/mars/'), [])
    await assert.rejects(administrate({ kind: 'delete', id: 'nonsense' }, context), /status 400/)
  })
  it('says where the job goes on when the connection is lost', async () => {
    const { context } = adminContext()
    const broken = {
      ...context,
      fetch: () => {
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => {
            controller.enqueue(new TextEncoder().encode('{"progress":{"deleted":5}}\n'))
            controller.close()
          },
        })
        return Promise.resolve(new Response(body, { headers: { 'content-type': 'application/x-ndjson' } }))
      },
    }
    await assert.rejects(
      administrate({ kind: 'job', job: 'clean', options: {} }, broken),
      /aviso admin status/,
    )
  })
})

describe('aviso admin, aviso config', () => {
  const parse = (...words: string[]): Invocation | undefined => {
    let invocation: Invocation | undefined
    const program = createProgram('1', (parsed) => (invocation = parsed))
    program.configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    for (const command of program.commands.flatMap((each) => [each, ...each.commands]))
      command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
    program.parse(words, { from: 'user' })
    return invocation
  }
  const refuses = (...words: string[]): void => {
    assert.throws(
      () => parse(...words),
      (error: CommanderError) => error.exitCode !== 0,
      words.join(' '),
    )
  }
  it('reads its options', () => {
    const clean = parse('admin', 'clean', '--dry-run', '--by-date', '--events', 'mars', 'flight', '-q')
    assert.ok(clean?.command === 'admin' && clean.task.kind === 'job')
    assert.deepEqual(
      [
        clean.task.job,
        clean.task.options.dryRun,
        clean.task.options.byDate,
        clean.task.options.events,
        clean.flags.quiet,
      ],
      ['clean', true, true, ['mars', 'flight'], true],
    )
    const wipe = parse('admin', 'wipe', 'mars', '--yes')
    assert.ok(wipe?.command === 'admin')
    assert.deepEqual(wipe.task, { kind: 'wipe', stream: 'mars', options: { dryRun: false } })
    const push = parse('config', 'push', 'aviso/v1', '-D', 'here', '-m', 'words', '--delete')
    assert.ok(push?.command === 'config')
    assert.deepEqual(push.task, {
      kind: 'push',
      service: 'aviso/v1',
      folder: 'here',
      message: 'words',
      deleteOthers: true,
    })
  })
  it('asks twice before what cannot be undone', () => {
    refuses('admin', 'wipe', 'mars')
    refuses('admin', 'wipe', '--all')
    refuses('admin', 'wipe', '--yes')
    refuses('admin', 'wipe', 'mars', '--all', '--yes')
    refuses('admin', 'delete', 'mars@1')
    refuses('config', 'pull', 'aviso/v1', '--delete')
    refuses('config', 'push', 'aviso/v1', '-D', 'here')
    assert.ok(parse('admin', 'wipe', 'mars', '--dry-run'))
    assert.ok(parse('admin', 'wipe', '--all', '--yes'))
  })
})
