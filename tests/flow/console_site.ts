/**
 * A service with identities, and a browser that looks at its console.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { MARS } from '../support/notifications.ts'
import { startServer, type RuntimeName, type TestServer } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'

export const OPERATOR = 'the-token-of-an-operator-0123456789abcdef'
export const READER = 'the-token-of-a-reader-0123456789abcdefghi'

const VARS = {
  ...configFile.vars,
  identity: {
    providers: [
      {
        kind: 'tokens',
        tokens: [
          { username: 'olga', realm: 'local', roles: ['operator'], secretEnv: 'OPERATOR_TOKEN' },
          { username: 'rita', realm: 'local', roles: ['reader'], secretEnv: 'READER_TOKEN' },
        ],
      },
    ],
  },
  policy: {
    rules: [
      { realm: 'local', roles: ['operator'], listen: 'everything', publish: 'everything', admin: true },
      { realm: 'local', roles: ['reader'], listen: ['flight'] },
    ],
  },
}

/** A service that can be started again. */
export interface ConsoleSite {
  readonly url: string
  publish(number: string, more?: { readonly country?: string; readonly payload?: unknown }): Promise<void>
  /** Publishes many steps of a forecast. */
  publishSteps(count: number): Promise<void>
  /** Stops the service. @returns a function that starts it again at the same address */
  stopForNow(): Promise<() => Promise<void>>
  close(): Promise<void>
}

/** Starts it on a runtime. */
export async function startConsoleSite(runtime: RuntimeName): Promise<ConsoleSite> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-console-'))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...configFile, vars: VARS }))
  const start = async (port: number): Promise<TestServer> => {
    const server = await startServer({
      runtime,
      port,
      arguments: ['--config', join(folder, 'config.json'), '--data', join(folder, 'data')],
      environment: { OPERATOR_TOKEN: OPERATOR, READER_TOKEN: READER },
    })
    await eventually('ready', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    return server
  }
  let server = await start(0)
  const { url } = server
  return {
    url,
    publish: async (number, { country = 'Italy', payload = 'Landed' } = {}) => {
      const identifier = { country, airport: country === 'Italy' ? 'FCO' : 'CDG', date: '20260810', number }
      const response = await fetch(`${url}/api/v1/notification`, {
        method: 'POST',
        headers: { authorization: `Bearer ${OPERATOR}` },
        body: JSON.stringify({ event_type: 'flight', identifier, payload }),
      })
      assert.equal(response.status, 200, await response.text())
    },
    publishSteps: async (count) => {
      const steps = Array.from({ length: count }, (_, step) => ({
        event_type: 'mars',
        identifier: { ...MARS, step: String(step) },
        payload: `/data/${step}`,
      }))
      const response = await fetch(`${url}/api/v1/notification`, {
        method: 'POST',
        headers: { authorization: `Bearer ${OPERATOR}` },
        body: JSON.stringify(steps),
      })
      assert.equal(response.status, 200, await response.text())
    },
    stopForNow: async () => {
      await server.stop()
      return async () => {
        server = await start(Number(new URL(url).port))
      }
    },
    close: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A page, and what it should not do. */
export interface Looking {
  readonly page: Page
  /** Messages of the browser about scripts, policies and addresses elsewhere. */
  readonly faults: readonly string[]
}

/** Opens a page that tells what goes wrong in it. */
export async function look(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Looking> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const faults: string[] = []
  page.on('pageerror', ({ message }) => faults.push(message))
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    // Answers that say no are part of the test.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text())
  })
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    if (protocol.startsWith('http') && origin !== new URL(url).origin)
      faults.push(`elsewhere: ${request.url()}`)
  })
  await page.goto(url)
  return { page, faults }
}

/** Signs in with a token. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** The numbers in the table, from top to bottom. */
export async function numbersIn(page: Page): Promise<readonly number[]> {
  const ids = await page
    .locator('tr[data-id]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-id')))
  return ids.map((id) => Number(id?.split('@')[1]))
}
