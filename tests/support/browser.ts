/**
 * A real browser: Debian's Chromium, without a window. A page says what it found by a POST to the server that it came from.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { chromium, type Browser } from 'playwright-core'
import { runCommand } from '../../scripts/run_command.ts'
import { missing } from './missing.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
/** The first start of a browser on a busy machine. */
const REPORT_LIMIT_MS = 90_000
/** Longest time to make the folder of a browser go away: its processes end one after the other. */
const REMOVE_ATTEMPTS = 20

/** Why there is no browser here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export function browserMissing(): Promise<string | false> {
  return missing(findBrowser)
}

/** @returns the path of a browser. Where there is none, Debian's is installed, which needs root. */
async function findBrowser(): Promise<string> {
  const found = await onPath()
  if (found !== undefined) return found
  await runCommand('apt-get', ['update'], {})
  await runCommand('apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], {})
  const installed = await onPath()
  if (installed === undefined)
    throw new Error('There is no chromium here, and apt-get install chromium failed')
  return installed
}

async function onPath(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const file of NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return undefined
}

/** A server of pages. */
export interface PageServer {
  /** Origin of the pages, such as `http://127.0.0.1:40001`. */
  readonly origin: string
  /** Opens a page in a browser of its own. @returns what it posts to `/report`, which ends the browser. */
  open(path: string): Promise<unknown>
  close(): Promise<void>
}

/** @param answer Type and text of a page or module; `undefined` where there is none. */
export async function startPageServer(
  answer: (path: string) => Promise<readonly [type: string, text: string] | undefined>,
): Promise<PageServer> {
  let onReport: (report: unknown) => void = () => undefined
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'POST') {
      const pieces: Uint8Array[] = []
      for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece)
      onReport(JSON.parse(Buffer.concat(pieces).toString()))
      response.end()
      return
    }
    const [type, text] = (await answer(request.url ?? '/')) ?? []
    response
      .writeHead(text === undefined ? 404 : 200, type === undefined ? {} : { 'content-type': type })
      .end(text)
  }
  const server = createServer((request, response) => void respond(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    open: async (path) => {
      const reported = new Promise<unknown>((resolve) => (onReport = resolve))
      const close = await openBrowser(`${origin}${path}`)
      const late = new Promise<never>((_, reject) => {
        const timer = setTimeout(() => reject(new Error('The page reported nothing')), REPORT_LIMIT_MS)
        timer.unref()
      })
      try {
        return await Promise.race([reported, late])
      } finally {
        await close()
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** @returns a function that ends the browser. */
async function openBrowser(url: string): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'aviso-browser-'))
  // Its sandbox needs rights that a container and root do not have; the pages are our own.
  const options = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
  ]
  const child = spawn(await findBrowser(), [...options, `--user-data-dir=${folder}`, url], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true, maxRetries: REMOVE_ATTEMPTS, retryDelay: 100 })
  }
}

/** Starts a browser that a test drives. The test closes it. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = await findBrowser()
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}
