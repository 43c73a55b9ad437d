/**
 * The console while 1,000 notifications a second come, for a minute: what the page costs, and whether other listeners notice it. Too long
 * for the gate: `npm run test:long`, or this file alone by its path.
 *
 * It prints what it measures. It fails only far from the figures that are wanted, because times depend on the machine.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { browserMissing, launchBrowser } from '../support/browser.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

const SECONDS = 60
const A_SECOND = 1_000
const BATCH = 100
const LISTENERS = 20
/** Rounds without and with the page, one after the other, so that both see the same machine. */
const ROUNDS = 3
const ROUND_SECONDS = 10
const MOST_HEAP_BYTES = 100_000_000
const MOST_CORE_SHARE = 0.5
const LEAST_RATIO = 0.97

describe('the console under load', { skip: await browserMissing(), timeout: 400_000 }, () => {
  let server: TestServer
  let browser: Browser
  before(async () => {
    server = await startServer({ arguments: ['--store', 'embedded:memory'] })
    await eventually('ready', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    browser = await launchBrowser()
  })
  after(async () => {
    await browser.close()
    await server.stop()
  })

  it('shows a minute of it with little memory and processor', async () => {
    const page = await openLive(browser, server)
    const before = await renderers(browser)
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable')
    const startedAt = performance.now()
    let heap = 0
    const sent = await publishFor(server, SECONDS, async () => {
      const { metrics } = await session.send('Performance.getMetrics')
      heap = Math.max(heap, metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0)
    })
    const seconds = (performance.now() - startedAt) / 1_000
    const used = (await renderers(browser)).map(
      ({ id, cpuTime }) => cpuTime - (before.find((each) => each.id === id)?.cpuTime ?? 0),
    )
    const share = Math.max(...used) / seconds
    await page.getByText(`${sent.toLocaleString('en')} matches`).waitFor()
    console.log(
      `${sent} in ${seconds.toFixed(1)} s: heap at most ${(heap / 1e6).toFixed(1)} MB, ${share.toFixed(2)} of a core`,
    )
    assert.ok(heap < MOST_HEAP_BYTES)
    assert.ok(share < MOST_CORE_SHARE)
    await page.close()
  })

  it('takes nothing from other listeners', async () => {
    const stop = new AbortController()
    let delivered = 0
    for (let count = 0; count < LISTENERS; count++)
      void listen(server, stop.signal, (came) => (delivered += came))
    const rates = { alone: 0, beside: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      for (const kind of ['alone', 'beside'] as const) {
        const page = kind === 'beside' ? await openLive(browser, server) : undefined
        delivered = 0
        const startedAt = performance.now()
        const sent = await publishFor(server, ROUND_SECONDS)
        const all = sent * LISTENERS
        const rate = all / ((performance.now() - startedAt) / 1_000)
        await eventually('all is delivered', () => delivered === all)
        rates[kind] += rate
        await page?.close()
      }
    }
    stop.abort()
    const ratio = rates.beside / rates.alone
    console.log(
      `deliveries a second: ${Math.round(rates.alone / ROUNDS)} without the page, ratio with it ${ratio.toFixed(3)}`,
    )
    assert.ok(ratio >= LEAST_RATIO)
  })
})

async function openLive(browser: Browser, { url }: TestServer): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(`${url}/#/live?event=flight`)
  await page.getByText('● live').waitFor()
  return page
}

/** Publishes at a steady pace. @returns how many */
async function publishFor(
  { url }: TestServer,
  seconds: number,
  everySecond: () => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const startedAt = performance.now()
  const passed = (): number => (performance.now() - startedAt) / 1_000
  let sent = 0
  let looked = 0
  while (passed() < seconds) {
    while (sent + BATCH <= passed() * A_SECOND) {
      const response = await fetch(`${url}/api/v1/notification`, {
        method: 'POST',
        body: JSON.stringify(batch(sent)),
      })
      assert.equal(response.status, 200, await response.text())
      sent += BATCH
    }
    if (passed() >= looked + 1) {
      looked++
      await everySecond()
    }
    await new Promise((next) => setTimeout(next, 20))
  }
  return sent
}

function batch(first: number): readonly object[] {
  return Array.from({ length: BATCH }, (_, index) => ({
    event_type: 'flight',
    identifier: { country: 'Italy', airport: 'FCO', date: '20260810', number: `AZ${first + index}` },
    payload: 'Landed',
  }))
}

async function listen(
  { url }: TestServer,
  signal: AbortSignal,
  onCame: (count: number) => void,
): Promise<void> {
  const headers = { accept: 'application/x-ndjson' }
  const response = await fetch(`${url}/api/v1/watch?event=flight`, { headers, signal })
  if (response.body === null) return
  try {
    let rest = ''
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = `${rest}${text}`.split('\n')
      rest = lines.pop() ?? ''
      onCame(lines.filter((line) => line.includes('"specversion"')).length)
    }
  } catch {
    // The test has ended.
  }
}

/** Processor time of the processes that draw pages, in seconds. */
async function renderers(
  browser: Browser,
): Promise<readonly { readonly id: number; readonly cpuTime: number }[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  return processInfo.filter(({ type }) => type === 'renderer')
}
