import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { ClientError } from '#shared/client/client_error.ts'
import type { ClientConfig } from '../../../../../scripts/aviso/config.ts'
import { explain } from '../../../../../scripts/aviso/explain.ts'
import { listen, type ListenFlags } from '../../../../../scripts/aviso/listen.ts'
import { readListeners } from '../../../../../scripts/aviso/listener_file.ts'
import { createRunFiles } from '../../../../../scripts/aviso/runs/run_file.ts'
import { parseYamlFile } from '../../../../../scripts/aviso/yaml_file.ts'
import { eventually, within } from '../../../../support/waiting.ts'
import { notification, recordedOutput, triggerHost, type TestContext } from '../fixture.ts'
import { marsRun, runsContext, startRunsService, type RunsService } from './runs_fixture.ts'

function read(text: string) {
  return readListeners(parseYamlFile(text, 'l.yaml'), triggerHost(recordedOutput(), { TMP_OF_TEST: '/' }))
}

function file(rest: string, triggers = '[{type: echo}]'): string {
  return `listeners:\n  - event: mars\n    request: {class: od}\n    ${rest}\n    triggers: ${triggers}\n`
}

/** A listener that is running. */
async function listening(
  context: TestContext,
  service: RunsService,
  { text, flags = {} }: { readonly text: string; readonly flags?: ListenFlags },
) {
  const home = await mkdtemp(join(tmpdir(), 'aviso-test-'))
  context.after(() => rm(home, { recursive: true, force: true }))
  await writeFile(join(home, 'l.yaml'), text)
  const stop = new AbortController()
  const made = runsContext(service, {
    stop: stop.signal,
    home,
    environment: { PATH: process.env['PATH'], HOME: home },
    readText: (path) => (path.endsWith('l.yaml') ? readFile(path, 'utf8') : Promise.resolve(undefined)),
  })
  const config: ClientConfig = { ...made.context.config, stateFolder: join(home, 'state'), catchup: true }
  const running = listen([join(home, 'l.yaml')], flags, { ...made.context, config })
  // A failure shows when the test waits for the end.
  running.catch(() => undefined)
  return {
    ...made,
    home,
    ended: () => within('the end', running),
    async stop() {
      stop.abort()
      await within('the end', running)
    },
  }
}

function publish(service: RunsService, step: number, payload?: string): void {
  const identifier = { ...marsRun().run, step: String(step) }
  service.tell({ event: 'mars', identifier, ...(payload !== undefined && { payload }) })
}

describe('when', () => {
  it('listens to runs that are complete, late or not, with the event type and fields of the file', () => {
    const [listener] = read(file('when: complete'))
    assert.deepEqual(
      [listener?.event, listener?.request],
      ['run', { event_type: ['mars'], state: ['complete', 'recovered'], class: ['od'] }],
    )
    const states = (rest: string): unknown => read(file(rest))[0]?.request['state']
    assert.deepEqual(states('when: late'), ['late'])
    assert.deepEqual(states('when: [started, recovered, complete]'), ['started', 'recovered', 'complete'])
    assert.equal(read(file('name: x'))[0]?.event, 'mars')
  })

  it('is judged like the rest of the file', () => {
    const refusal = (text: string): string => {
      try {
        read(text)
      } catch (error) {
        assert.ok(error instanceof ClientError)
        return error.message
      }
      return ''
    }
    const allowed = 'must be one of started, complete, late, recovered, incomplete, or a list of them'
    assert.equal(refusal(file('when: done')), `l.yaml:4:5 listeners.0.when: ${allowed}`)
    assert.equal(refusal(file('when: []')), 'l.yaml:4:5 listeners.0.when: must not be an empty list')
    assert.match(refusal(file('when: [late, done]')), /^l\.yaml:4:5 listeners\.0\.when: must be one of/)
    assert.match(refusal(file('whn: late')), /Unknown key; allowed are .*, when\. Did you mean when\?/)
    assert.match(
      refusal(file('when: late').replace('mars', 'run')),
      /listeners\.0\.event: 'when' needs the event type of the products/,
    )
    assert.match(
      refusal(file('when: late').replace('class', 'state')),
      /request\.state: state is said by 'event' and 'when'/,
    )
  })

  it('is compared with what the service follows, before anything runs', async (t) => {
    const service = await startRunsService(t)
    const refusal = async (text: string, isConfigured = true): Promise<string> => {
      const asked = isConfigured ? service : await startRunsService(t, { isConfigured })
      const listener = await listening(t, asked, { text })
      const error: unknown = await listener.ended().catch((failure: unknown) => failure)
      assert.ok(error instanceof ClientError, String(error))
      return error.message.replace(/^\S*l\.yaml:/, '')
    }
    assert.equal(
      await refusal(file('when: late').replace('class', 'step')),
      '3:15 listeners.0.request.step: a run has no field step; allowed are class, stream, date, time',
    )
    assert.match(
      await refusal(file('when: late').replace('mars', 'mras')),
      /the service has no event type mras; .*Did you mean mars\?/,
    )
    assert.match(
      await refusal(file('when: late').replace('mars', 'flight')),
      /listeners\.0\.when: the service follows runs of mars only\. .*vars\.runs\.flight/,
    )
    assert.equal(
      await refusal(file('name: x').replace('mars', 'run')),
      '3:5 listeners.0.request (listener x): a listener to run must name event_type: one of mars',
    )
    assert.match(
      await refusal(file('when: late'), false),
      /the service follows no runs\. An operator sets vars\.runs\.mars/,
    )
    const command = "[{type: command, command: 'cat ${runpath} ${request.stp}'}]"
    assert.match(
      await refusal(file('when: late', command)),
      /triggers\.0\.command: no notification of run has \$\{request\.stp\}/,
    )
    assert.match(await refusal(file('name: x', command)), /no notification of mars has \$\{runpath\}/)
  })

  it('runs triggers once for a run, with all its notifications in a file that is gone afterwards', async (t) => {
    const service = await startRunsService(t)
    publish(service, 0, 'a')
    publish(service, 6, 'b')
    // Of another run.
    service.tell({ event: 'mars', identifier: { ...marsRun().run, time: '00', step: '0' } })
    const keep = `[{type: command, shell: true, command: 'cp "$AVISO_RUN_FILE" "$HOME/all"; echo "$AVISO_RUN_FILE" > "$HOME/path"'}, {type: command, command: 'wc -l \${runpath}'}, {type: echo}]`
    const listener = await listening(t, service, { text: file('when: complete', keep) })
    await eventually('the stream', () => service.streams('run') === 1)
    service.announce(marsRun([0, 6], { state: 'late' }))
    service.announce(marsRun([0, 6, 12, 18], { received: 2, state: 'recovered' }))
    await eventually('the last trigger', () => listener.output.results.length === 1)
    await listener.stop()
    const { home, output } = listener
    const lines = (await readFile(join(home, 'all'), 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { request: Record<string, string>; payload: string; event: string })
    assert.deepEqual(
      lines.map(({ event, request, payload }) => [event, request['step'], payload]),
      [
        ['mars', '0', 'a'],
        ['mars', '6', 'b'],
      ],
    )
    const path = (await readFile(join(home, 'path'), 'utf8')).trim()
    assert.deepEqual([existsSync(path), existsSync(dirname(path))], [false, false])
    assert.ok(output.logged.some(({ message }) => message === `2 ${path}`))
    const told = JSON.parse(output.results[0] ?? '') as { event: string; request: Record<string, string> }
    assert.deepEqual([told.event, told.request['state'], told.request['class']], ['run', 'recovered', 'od'])
    assert.deepEqual(
      output.logged.filter(({ level }) => level === 'WARNING'),
      [],
    )
    const asked = service.asked.find((each) => each.startsWith('/api/v1/notifications?event=mars')) ?? ''
    const query = new URLSearchParams(asked.split('?')[1])
    assert.deepEqual(
      [query.get('from'), query.get('to'), query.get('order'), query.get('time')],
      ['2026-08-10T17:45:02.000Z', '2026-08-10T18:20:01.000Z', 'oldest', '12'],
    )
  })

  it('--dry-run and explain: say what would run, and write no file', async (t) => {
    const service = await startRunsService(t)
    const text = file('when: complete', "[{type: command, command: 'cat ${runpath}'}]")
    const listener = await listening(t, service, { text, flags: { dryRun: true } })
    await eventually('the stream', () => service.streams('run') === 1)
    service.announce(marsRun([0, 6, 12, 18]))
    await eventually('the plan', () => listener.output.results.length === 1)
    await listener.stop()
    assert.match(listener.output.results[0] ?? '', /^run@1 command would run: cat RUN_FILE$/)
    assert.ok(!service.asked.some((path) => path.startsWith('/api/v1/notifications?')))
    const body: unknown[] = []
    const { context } = runsContext(service, {
      readText: () => Promise.resolve(text),
      fetch: (_url, init) => {
        body.push(JSON.parse(typeof init.body === 'string' ? init.body : ''))
        return Promise.resolve(Response.json({ listeners: [] }))
      },
    })
    await assert.rejects(explain(['l.yaml'], {}, context), /answered without an explanation/)
    const request = { event_type: ['mars'], state: ['complete', 'recovered'], class: ['od'] }
    assert.deepEqual(
      body,
      [{ from: undefined, listeners: [{ event: 'run', request }] }].map(({ listeners }) => ({ listeners })),
    )
  })
})

describe('createRunFiles()', () => {
  const told = (changes = {}) => {
    const { products: _products, ...payload } = marsRun([0, 6], changes)
    return notification({ id: 'run@1', event: 'run', payload: JSON.parse(JSON.stringify(payload)) as never })
  }

  it('reads page after page, for the user alone', async (t) => {
    const service = await startRunsService(t)
    for (let step = 0; step < 2_500; step++) publish(service, step)
    const { context } = runsContext(service)
    const prepared = await createRunFiles(context)(told())
    assert.ok(prepared.kind === 'ready')
    const { runFile = '' } = prepared.input
    const text = await readFile(runFile, 'utf8')
    assert.equal(text.trimEnd().split('\n').length, 2_500)
    assert.deepEqual(
      [(await stat(runFile)).mode & 0o777, (await stat(dirname(runFile))).mode & 0o777],
      [0o600, 0o700],
    )
    await prepared.release()
    assert.ok(!existsSync(dirname(runFile)))
  })

  it('hands over an empty file where nothing came, and warns where notifications are gone', async (t) => {
    const service = await startRunsService(t)
    const { context, output } = runsContext(service)
    const nothing = { first_at: null, last_at: null, received: 0 }
    for (const changes of [nothing, {}]) {
      const prepared = await createRunFiles(context)(told(changes))
      assert.ok(prepared.kind === 'ready')
      assert.equal((await stat(prepared.input.runFile ?? '')).size, 0)
      await prepared.release()
    }
    assert.match(output.logged[0]?.message ?? '', /only 0 of its 2 notifications are in the file/)
    assert.equal(output.logged.length, 1)
  })

  it('waits for a service that is away, and ends when the client is told to', async (t) => {
    const service = await startRunsService(t)
    publish(service, 0)
    await service.stop()
    const stop = new AbortController()
    const { context, output } = runsContext(service, { stop: stop.signal })
    const preparing = createRunFiles(context)(told({ received: 1 }))
    await eventually('a warning', () => output.logged.length > 0)
    await service.start()
    const prepared = await within('the file', preparing)
    assert.ok(prepared.kind === 'ready')
    await prepared.release()
    await service.stop()
    const waiting = createRunFiles(context)(told())
    stop.abort()
    assert.deepEqual(await within('the end', waiting), { kind: 'stopped' })
  })

  it('passes over a run that is too large, so that it does not stop the listener', async () => {
    const line = JSON.stringify({
      specversion: '1.0',
      id: 'mars@1',
      data: { identifier: { class: 'od' }, payload: 'x'.repeat(1024 * 1024) },
    })
    const page = `${line}\n`.repeat(100)
    const { context } = runsContext(
      { url: 'http://127.0.0.1:1' },
      {
        fetch: () =>
          Promise.resolve(
            new Response(page, { headers: { link: '</api/v1/notifications?cursor=1>; rel="next"' } }),
          ),
      },
    )
    const prepared = await createRunFiles(context)(told())
    assert.ok(prepared.kind === 'poisoned')
    assert.match(prepared.reason, /has more than 100000 notifications or 256 MiB: read it with aviso replay/)
  })
})
