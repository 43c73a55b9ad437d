/** The file of the embedded store, seen from the launcher: one process has it, and a damaged one is not used. */

import assert from 'node:assert/strict'
import { copyFile, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { flight } from '../support/notifications.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { readEvents } from '../support/streams.ts'
import { eventually } from '../support/waiting.ts'

const PAGE_BYTES = 4_096

/** Starts a server that must not start. */
function assertRefused(data: string, output: RegExp): Promise<void> {
  const started = startServer({ arguments: ['--data', data] })
  return assert.rejects(
    started.then((server) => server.stop()),
    output,
  )
}

/** Publishes a flight with this number. */
async function publish(url: string, number: number): Promise<void> {
  const data = { event: 'flight', request: flight(`AZ${number}`), payload: 'Landed' }
  const body = { specversion: '1.0', id: `${number}`, source: '/host/me', type: 'aviso', data }
  const answer = await fetch(`${url}/api/v1/notification`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/cloudevents+json' },
    body: JSON.stringify(body),
  })
  assert.equal(answer.status, 200, await answer.text())
}

/** The cursor behind the second flight. */
async function placeOfSecond(url: string): Promise<string> {
  const events = readEvents(await fetch(`${url}/api/v1/watch?event=flight&from_id=2`))
  const event = await events.next(({ data, id }) => data.includes('flight@2') && id !== undefined)
  await events.close()
  return event.id ?? ''
}

/** Runs one server after the other on a folder. @returns What it printed. */
function runsOn(data: string): (work: (url: string) => Promise<void>, ...flags: string[]) => Promise<string> {
  return async (work, ...flags) => {
    const server = await startServer({ arguments: ['--data', data, ...flags] })
    try {
      await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
      await work(server.url)
    } finally {
      assert.equal(await server.stop(), 0)
    }
    return server.output()
  }
}

describe('the file of the embedded store', () => {
  it('is for one process: another one ends with 2 and says so, and the first goes on', async (context) => {
    const data = await temporaryFolder(context)
    const first = await startServer({ arguments: ['--data', data] })
    try {
      await assertRefused(
        data,
        /ended with 2:\n[^]*in use by another process: stop it or choose another data folder/,
      )
      assert.equal((await fetch(`${first.url}/ready`)).status, 200)
    } finally {
      await first.stop()
    }
  })

  it('needs a folder: where none can be made, the process ends with 2 and says so', async () => {
    await assertRefused(
      '/proc/x/y',
      /ended with 2:\n[^]*"\/proc\/x\/y" cannot be made: "\/proc" is of the kernel/,
    )
  })

  it('is not used when it is no database any more: the process ends with 2 and says so', async (context) => {
    const data = await temporaryFolder(context)
    await runsOn(data)(() => Promise.resolve())
    const file = await open(join(data, 'aviso.sqlite'), 'r+')
    await file.write(new Uint8Array(PAGE_BYTES).fill(0xa5), 0, PAGE_BYTES, 0)
    await file.close()
    await assertRefused(
      data,
      /ended with 2:\n[^]*aviso\.sqlite is damaged or no database, and cannot be opened at all: restore a backup with "aviso admin restore FILE", or move it away/,
    )
  })

  it('is not used when a page is damaged, unless the loss is accepted: the rest is served, and publishing goes on', async (context) => {
    const data = await temporaryFolder(context)
    const run = runsOn(data)
    const [count, lost] = [30, 15]
    let place = ''
    await run(async (url) => {
      for (let number = 1; number <= count; number++) await publish(url, number)
      place = await placeOfSecond(url)
    })
    const path = join(data, 'aviso.sqlite')
    const bytes = await readFile(path)
    const at = bytes.indexOf(`AZ${lost}Landed`)
    assert.ok(at > 0)
    bytes.fill(0xff, at - (at % PAGE_BYTES), at - (at % PAGE_BYTES) + 8)
    await writeFile(path, bytes)
    await assertRefused(
      data,
      /ended with 2:\n[^]*file is damaged: "[^"]+" of revision \d+ cannot be read[^]*aviso admin restore FILE[^]*--accept-loss/,
    )
    const output = await run(async (url) => {
      await publish(url, count + 1)
      const stale = await fetch(`${url}/api/v1/watch?event=flight&from=${encodeURIComponent(place)}`)
      assert.equal(stale.status, 410, await stale.text())
      const events = readEvents(await fetch(`${url}/api/v1/watch?event=flight&from_id=${count}`))
      await events.next(({ data: text }) => text.includes(`AZ${count}`))
      await events.next(({ data: text }) => text.includes(`AZ${count + 1}`))
      await events.close()
    }, '--accept-loss')
    assert.match(output, new RegExp(`An event that cannot be read is given up[^\n]*AZ${lost}"`))
    assert.match(output, /lost what lay on damaged pages, as accepted[^\n]*damaged-/)
    await run((url) => publish(url, count + 2))
  })

  it('tells a listener of the one notification in it that is damaged, and serves all others', async (context) => {
    const data = await temporaryFolder(context)
    const first = await startServer({ arguments: ['--data', data] })
    await eventually('ready', async () => (await fetch(`${first.url}/ready`)).status === 200)
    for (const number of [1, 2, 3]) await publish(first.url, number)
    assert.equal(await first.stop(), 0)
    const file = join(data, 'aviso.sqlite')
    const bytes = await readFile(file)
    // The payload of the second one, and not its key.
    const place = bytes.indexOf('AZ2Landed')
    assert.ok(place > 0)
    bytes[place + 'AZ2'.length] = 'l'.charCodeAt(0)
    await writeFile(file, bytes)
    const server = await startServer({ arguments: ['--data', data] })
    try {
      await eventually('ready', async () => (await fetch(`${server.url}/ready`)).status === 200)
      const listen = async (query: string) =>
        readEvents(await fetch(`${server.url}/api/v1/watch?event=flight&${query}`))
      const events = await listen('from_id=1')
      await events.next(({ data: text }) => text.includes('flight@1"'))
      const gap = await events.next(({ event }) => event === 'gap')
      await events.close()
      const { oldest_position: position } = JSON.parse(gap.data) as { oldest_position: string }
      const rest = await listen(`from=${position}`)
      await rest.next(({ data: text }) => text.includes('flight@3"'))
      await rest.close()
      assert.match(server.output(), /AZ2\\" at revision \d+ is damaged/)
    } finally {
      await server.stop()
    }
  })

  it('is not used when an older copy was put back, unless the loss is accepted: then places of before are refused', async (context) => {
    const data = await temporaryFolder(context)
    const file = join(data, 'aviso.sqlite')
    const run = runsOn(data)
    await run((url) => publish(url, 1))
    await copyFile(file, `${file}.old`)
    let place = ''
    await run(async (url) => {
      await publish(url, 2)
      place = await placeOfSecond(url)
    })
    await copyFile(`${file}.old`, file)
    await assertRefused(
      data,
      /ended with 2:\n[^]*lost acknowledged writes\. \d+ revisions? (?:is|are) missing[^]*aviso admin restore FILE[^]*--accept-loss/,
    )
    const output = await run(async (url) => {
      await publish(url, 3)
      const answer = await fetch(`${url}/api/v1/watch?event=flight&from=${encodeURIComponent(place)}`)
      assert.deepEqual(
        [answer.status, ((await answer.json()) as { code: string }).code],
        [410, 'EPOCH_CHANGED'],
      )
    }, '--accept-loss')
    assert.match(output, /as accepted: it goes on with a new epoch/)
    await run(async (url) => assert.equal((await fetch(`${url}/ready`)).status, 200))
  })

  it('with a damaged journal is served but for publishing, until the loss is accepted', async (context) => {
    const data = await temporaryFolder(context)
    const run = runsOn(data)
    await run(async (url) => {
      for (const number of [1, 2]) await publish(url, number)
    })
    const database = new DatabaseSync(join(data, 'aviso.sqlite'))
    database.exec(
      `UPDATE events SET sum = sum + 1 WHERE id = (SELECT max(id) FROM events WHERE key = CAST('/_aviso/journal/flight' AS BLOB))`,
    )
    database.close()
    await run(async (url) => {
      await assert.rejects(publish(url, 3), /event type \\"flight\\" cannot be published[^]*--accept-loss/)
    })
    const output = await run((url) => publish(url, 3), '--accept-loss')
    assert.match(output, /A damaged value is given up[^]*as accepted: it goes on with a new epoch/)
    await run((url) => publish(url, 4))
  })
})
