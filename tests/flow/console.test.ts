/**
 * The console in a real browser, in front of the service as `npm start` runs it, with identities, on Node and on another runtime.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { browserMissing, launchBrowser, startPageServer } from '../support/browser.ts'
import { eventually } from '../support/waiting.ts'
import {
  look,
  numbersIn,
  OPERATOR,
  READER,
  signIn,
  startConsoleSite,
  type ConsoleSite,
} from './console_site.ts'
import { mockRuns } from './console_runs.ts'

/** Pictures of each view, to look at. Git ignores the folder. */
const PICTURES = fileURLToPath(new URL('../../.cache/console', import.meta.url))
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const VIEWS = ['live', 'history', 'runs', 'publish', 'explain', 'listeners', 'system']
/** What a stranger may send: markup, the colours of terminals, text from right to left, characters that nobody sees. */
const HOSTILE =
  '<img src=x onerror="alert(1)"><script>alert(2)</script> \u001b[31mred \u202egnp.exe \u200b\u0000'

// Its parts mostly wait, each for a service of its own.
describe('the console', { skip: await browserMissing(), timeout: 240_000, concurrency: 3 }, () => {
  let browser: Browser
  before(async () => {
    browser = await launchBrowser()
  })
  after(() => browser.close())

  for (const runtime of ['node', 'bun'] as const) {
    describe(`on ${runtime}`, () => {
      let site: ConsoleSite
      before(async () => {
        site = await startConsoleSite(runtime)
      })
      after(() => site.close())

      it('lets a person sign in, publish, look, replay, explain, and end a stream', async () => {
        const { page, faults } = await look(browser, `${site.url}/`)
        await signsIn(page)
        await publishesOne(page)
        await watches(page, site)
        await goesOnAfterRestart(page, site)
        await replays(page)
        await explains(page)
        await endsAStream(page, site)
        await signsOut(page)
        assert.deepEqual(faults, [])
        await page.context().close()
      })
    })
  }

  describe('for everyone', () => {
    let site: ConsoleSite
    before(async () => {
      site = await startConsoleSite('node')
      await site.publishSteps(250)
      // What came last is what a person sees first.
      for (const number of ['AZ1', 'AZ2', 'AZ3']) await site.publish(number)
      await site.publish('AZ4', { country: 'France', payload: { file: '/data/x', text: HOSTILE } })
    })
    after(() => site.close())

    it('shows a reader what a reader may do, and no more', async () => {
      const { page, faults } = await look(browser, `${site.url}/#/system`)
      await signIn(page, READER)
      await page.getByRole('navigation').waitFor()
      const views = await page.getByRole('navigation').getByRole('link').allTextContents()
      assert.deepEqual(views, ['Live', 'History', 'Runs', 'Explain'])
      await page.locator('tr[data-id="flight@4"]').waitFor()
      assert.deepEqual(await page.locator('.events button span').allTextContents(), ['flight'])
      await page.getByRole('link', { name: 'Documents' }).click()
      await page.getByRole('heading', { name: 'Aviso', level: 1 }).waitFor()
      await page.getByRole('link', { name: 'Every route' }).click()
      await page.getByRole('link', { name: 'Console' }).first().click()
      await page.getByLabel('Token').waitFor()
      assert.deepEqual(faults, [])
      await page.context().close()
    })

    it('has nothing serious for axe, light and dark, on a phone and on a desktop, and makes pictures', async () => {
      await mkdir(PICTURES, { recursive: true })
      const axe = await readFile(AXE, 'utf8')
      for (const [width, colorScheme] of [
        [1280, 'light'],
        [390, 'dark'],
      ] as const) {
        // The test itself puts a script into the page, which the page's policy would not let in.
        const options = { viewport: { width, height: 844 }, colorScheme, bypassCSP: true }
        const { page } = await look(browser, `${site.url}/`, options)
        await mockRuns(page)
        await signIn(page, OPERATOR)
        await page.locator('tr[data-id]').first().waitFor()
        await page.evaluate(axe)
        for (const view of VIEWS) {
          await open(page, view)
          assert.deepEqual(await seriousFaults(page), [], `${view} at ${width}`)
          await takePictures(page, `${view}-${width}`)
          await page.emulateMedia({ colorScheme })
          const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
          assert.equal(overflow, 0, `${view} is as wide as the screen at ${width}`)
        }
        await page.context().close()
      }
    })

    it('goes back through history, page by page, and says what has to be chosen', async () => {
      const { page, faults } = await look(browser, `${site.url}/#/history?event=mars`)
      await signIn(page, OPERATOR)
      await page.getByText('100 found in 100, and there is more').waitFor()
      await page.getByRole('button', { name: 'Older ones' }).click()
      await page.getByText('200 found').waitFor()
      await page.getByRole('button', { name: 'Older ones' }).click()
      await page.getByText('250 found in 250', { exact: true }).waitFor()
      const numbers = await numbersIn(page)
      assert.deepEqual(
        numbers,
        Array.from({ length: 250 }, (_, index) => 250 - index),
      )
      await page.locator('.events button', { hasText: 'dissemination' }).click()
      await page.getByText('Choose destination in the filter').waitFor()
      assert.deepEqual(faults, [])
      await page.context().close()
    })

    it('is in no frame of another site', async () => {
      const other = await startPageServer(async () => ['text/html', `<iframe src="${site.url}/"></iframe>`])
      const context = await browser.newContext()
      const page = await context.newPage()
      await page.goto(other.origin)
      const frame = page.frames()[1]
      assert.doesNotMatch((await frame?.content()) ?? '', /id="app"/)
      await context.close()
      await other.close()
    })
  })
})

async function signsIn(page: Page): Promise<void> {
  await signIn(page, 'a-token-that-nobody-gave-out-0123456789')
  await page.getByText('The service does not know this token (401)').waitFor()
  await signIn(page, OPERATOR)
  await page.getByText('olga').waitFor()
  // The token is in memory alone: a page that is loaded again asks for it.
  const kept = await page.evaluate(
    'JSON.stringify([localStorage.length, sessionStorage.length, document.cookie])',
  )
  assert.equal(kept, '[0,0,""]')
  await page.reload()
  await signIn(page, OPERATOR)
  await page.getByRole('heading', { name: 'No notification of' }).waitFor()
  assert.equal(await page.locator('.empty li pre').count(), 3, 'three commands that fill the page')
}

async function publishesOne(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Publish' }).click()
  await page.getByLabel('event type').selectOption('flight')
  const fill = (name: string, value: string): Promise<void> =>
    page.getByLabel(new RegExp(`^${name}`)).fill(value)
  // All that the service finds wrong is told at once, each at its field.
  await fill('country', 'Italy')
  await fill('date', 'tomorrow')
  await page.getByText('See the fields date, airport, number.').waitFor()
  assert.match(
    (await page.locator('.field.wrong').textContent()) ?? '',
    /^date.*■ Value tomorrow is not valid/,
  )
  assert.deepEqual(await page.locator('.lacking-yet:not(:empty)').allTextContents(), [
    '○ Wrong parameters: airport required',
    '○ Wrong parameters: number required',
  ])
  assert.equal(await page.getByRole('button', { name: 'Publish' }).isDisabled(), true)
  await fill('airport', 'FCO')
  await fill('number', 'AZ1')
  await page.getByLabel(/^date/).fill('20260810')
  await page.getByText('/tmp/aviso/flight/20260810/italy/FCO/AZ1').waitFor()
  const text = page.locator('#payload')
  await text.fill('x'.repeat(1_000_000))
  await page.getByText('The body must not be larger than').waitFor()
  await text.fill(HOSTILE)
  await page.getByRole('button', { name: 'Publish' }).click()
  await page.getByText('flight@1 is on disk').waitFor()
  await page.getByRole('button', { name: 'Send the same again' }).click()
  await page.getByText('Known already').waitFor()
}

async function watches(page: Page, site: ConsoleSite): Promise<void> {
  await page.getByRole('link', { name: 'Live' }).click()
  await page.locator('.events button', { hasText: 'flight' }).click()
  const hostile = page.locator('tr[data-id="flight@1"] .payload')
  await hostile.waitFor()
  assert.equal(await hostile.locator('*').count(), 0, 'a payload is text')
  assert.match((await hostile.textContent()) ?? '', /^<img src=x .*\\u001b\[31mred \\u202egnp/)
  await page.getByText('● live').waitFor()
  await site.publish('AZ2')
  await site.publish('AZ3', { country: 'France', payload: 'x'.repeat(250_000) })
  await eventuallyNumbers(page, [3, 2, 1])
  await page.getByText('2 matches').waitFor()
  // Space stops the table, and what came meanwhile is counted.
  await page.locator('#main').focus()
  await page.keyboard.press(' ')
  await site.publish('AZ4')
  await page.getByText('Go on (1 new)').waitFor()
  assert.deepEqual(await numbersIn(page), [3, 2, 1])
  await page.keyboard.press(' ')
  await eventuallyNumbers(page, [4, 3, 2, 1])
  // A row tells its way through the service.
  await page.locator('tr[data-id="flight@2"]').click()
  await page.getByLabel('Its way through the service').waitFor()
  await page.getByLabel('Notification flight@2', { exact: true }).press('Escape')
  await page.getByLabel('country').fill('france')
  await page.getByLabel('country').press('Enter')
  await eventuallyNumbers(page, [3])
  await page.getByText('The same as YAML, curl, pyaviso, aviso').click()
  await page.getByText('country: france').waitFor()
  await page.getByRole('button', { name: 'Clear the filter' }).click()
  await eventuallyNumbers(page, [4, 3, 2, 1])
}

async function goesOnAfterRestart(page: Page, site: ConsoleSite): Promise<void> {
  await page.getByText('● live').waitFor()
  await site.publish('AZ5')
  const startAgain = await site.stopForNow()
  await page.getByText('▲ coming back').waitFor()
  await startAgain()
  await site.publish('AZ6')
  await site.publish('AZ7')
  await eventuallyNumbers(page, [7, 6, 5, 4, 3, 2, 1])
}

async function replays(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'History' }).click()
  await eventuallyNumbers(page, [7, 6, 5, 4, 3, 2, 1])
  await page.locator('tr[data-id="flight@5"]').click()
  await page.getByRole('button', { name: 'Replay from here' }).click()
  await page.getByText('replayed from 5').waitFor()
  await eventuallyNumbers(page, [7, 6, 5])
}

async function explains(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Explain' }).click()
  const file =
    'listeners:\n  - event: flight\n    request:\n      country: Italy\n      airport: MXP # not FCO\n    triggers:\n      - type: echo\n'
  await page.getByLabel('Listener file').fill(file)
  await page.getByRole('button', { name: 'Explain' }).click()
  await page.getByText('0 of 7 matched').waitFor()
  const miss = await page.locator('.misses li').first().textContent()
  assert.match(miss ?? '', /^airport excludes 6: you ask MXP; there is FCO \(6\)$/)
  await page.getByLabel('Listener file').fill('listeners:\n  - event: flight\n\trequest: {}')
  await page.getByRole('button', { name: 'Explain' }).click()
  await page.getByText('Line 3: indent with spaces').waitFor()
}

async function endsAStream(page: Page, { url }: ConsoleSite): Promise<void> {
  const headers = { authorization: `Bearer ${READER}`, 'user-agent': 'listener-of-the-test' }
  const stream = await fetch(`${url}/api/v1/watch?event=flight`, { headers })
  const text = stream.text()
  await page.getByRole('link', { name: 'Listeners' }).click()
  const row = page.locator('tr[data-id]', { hasText: 'rita' })
  await row.getByRole('button', { name: 'End' }).click()
  await row.getByRole('button', { name: 'End this stream' }).click()
  assert.match(await text, /ended_by_operator/)
  await page.getByText('was ended').waitFor()
  await page.getByRole('link', { name: 'System' }).click()
  await page.locator('li', { hasText: 'clean' }).getByRole('button', { name: 'Dry run' }).click()
  await page.getByText('dry run: true').waitFor()
  await page
    .locator('li', { hasText: 'clean' })
    .getByText(/next \d{4}-\d\d-\d\d 00:30/)
    .waitFor()
  await looksAtTheAudit(page)
  await asksAboutOthers(page)
}

/** What a user may do, by the policy of the service; a user that it does not know is told at the field. */
async function asksAboutOthers(page: Page): Promise<void> {
  const form = page.getByRole('region', { name: 'What a user may do' })
  const askFor = async (user: string): Promise<void> => {
    await form.getByLabel('user').fill(user)
    await form.getByRole('button', { name: 'Ask the policy' }).click()
  }
  await askFor('ritta')
  await form.getByText('No provider knows a user ritta: did you mean "rita"?').waitFor()
  assert.equal(await form.getByLabel('user').getAttribute('aria-invalid'), 'true')
  await askFor('rita')
  await form.getByText('rita of realm local, roles reader').waitFor()
  assert.deepEqual(await form.locator('.plain li').allTextContents(), [
    '● listen flight by vars.policy.rules.1.listen.0',
    '○ does not apply vars.policy.rules.0: has not the role operator',
  ])
}

/** What the test did is on record: without tokens, and what strangers send as text. */
async function looksAtTheAudit(page: Page): Promise<void> {
  const records = page.getByRole('region', { name: 'Audit records' })
  await records.locator('tr', { hasText: /administered.*olga.*DELETE \/api\/v1\/admin\/streams/ }).waitFor()
  assert.doesNotMatch((await records.textContent()) ?? '', new RegExp(`${OPERATOR}|${READER}|onerror`))
  await page.getByLabel('action').selectOption('published')
  await page.getByText('No record of this kind').waitFor()
  await page.getByText('vars.audit').waitFor()
}

async function signsOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Token').waitFor()
  assert.equal(await page.getByRole('navigation').count(), 0)
  assert.equal(await page.locator('tr[data-id]').count(), 0)
  await signIn(page, READER)
  await page.getByText('rita').waitFor()
  assert.equal(await page.getByRole('link', { name: 'System' }).count(), 0)
}

async function eventuallyNumbers(page: Page, numbers: readonly number[]): Promise<void> {
  let last: readonly number[] = []
  const isSo = async (): Promise<boolean> => {
    last = await numbersIn(page)
    return JSON.stringify(last) === JSON.stringify(numbers)
  }
  await eventually(`the table has ${numbers.join(' ')}`, isSo, 50).catch((error: unknown) => {
    throw new Error(`the table has ${last.join(' ')}`, { cause: error })
  })
}

/** Opens a view, with something in it that is worth a look. */
async function open(page: Page, view: string): Promise<void> {
  await page.evaluate(`location.hash = '#/${view}'`)
  if (view === 'live' || view === 'history') {
    await page.locator('tr[data-id="flight@4"]').click()
    await page.getByText('/data/x').last().waitFor()
  }
  if (view === 'runs') {
    await page.locator('.grid tbody button').nth(1).click()
    await looksUpARun(page)
  }
  if (view === 'explain') await page.getByRole('button', { name: 'Explain' }).click()
  if (view === 'listeners') await page.locator('.tiles').waitFor()
  if (view === 'publish') {
    await page.getByLabel('event type').selectOption('flight')
    await page.getByLabel(/^date/).fill('tomorrow')
    await page.getByText('See the fields').waitFor()
  }
  if (view === 'system') {
    await page.locator('.chart, .legend').first().waitFor()
    await asksAboutOthers(page)
  }
  await page.locator('main :is(h1, h2)').first().waitFor({ state: 'attached' })
}

/** The address of a panel opens it again, and an address that names what is not there is told. */
async function looksUpARun(page: Page): Promise<void> {
  await page.waitForURL(/#\/runs\?run=mars%3Aod%2Coper%2C0001%2C20261130%2C00$/)
  const kept = new URL(page.url()).hash
  await page.evaluate("location.hash = '#/runs?state=bogus'")
  await page.getByText('names the state bogus').waitFor()
  await page.evaluate(`location.hash = '${kept}'`)
  await page.getByLabel('Run 2026-11-30 00 UTC · od · oper · 0001').waitFor()
}

/** In light and in dark. */
async function takePictures(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}.png`) })
  }
}

interface Found {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

async function seriousFaults(page: Page): Promise<readonly string[]> {
  const { violations } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as Found
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}
