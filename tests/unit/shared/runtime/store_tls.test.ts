/** The ways to a store that wants certificates, on the runtime that runs the test. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { after, before, describe, it } from 'node:test'
import { toText } from '#shared/bytes/bytes.ts'
import { detectPlatform } from '#shared/runtime/detect.ts'
import type { StoreTls } from '#shared/runtime/store_tls.ts'
import { createAuthority, opensslMissing } from '../../../support/certificates.ts'

const NODE = fileURLToPath(new URL('../../../../node_modules/.bin/node', import.meta.url))
const SERVER = fileURLToPath(new URL('../../../support/certificate_server.ts', import.meta.url))
const platform = await detectPlatform()
const { storeOverTls } = platform

describe('storeOverTls()', { skip: await opensslMissing() }, () => {
  let folder: string
  let url: string
  let close: () => Promise<unknown>
  const shown = new Map<string, StoreTls>()
  let authority = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-store-tls-'))
    const made = await createAuthority(folder)
    authority = await readFile(made.file, 'utf8')
    const own = await made.issue('server')
    for (const name of ['first', 'second']) {
      const files = await made.issue(name)
      const [certificate, key] = await Promise.all([
        readFile(files.certificate, 'utf8'),
        readFile(files.key, 'utf8'),
      ])
      shown.set(name, { authority, certificate, key })
    }
    const child = spawn(NODE, [SERVER, made.file, own.certificate, own.key], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    const [port] = await once(createInterface({ input: child.stdout }), 'line')
    url = `https://127.0.0.1:${String(port)}/`
    close = () => {
      child.stdin.end()
      return exited
    }
  })
  after(async () => {
    await close()
    await rm(folder, { recursive: true })
  })

  it('shows the certificate to an address in numbers, and the new one once it has changed', async () => {
    let current = shown.get('first')
    assert.ok(storeOverTls !== undefined && current !== undefined)
    const { storeFetch, fetchOfStore } = storeOverTls(() => current ?? {})
    assert.ok(fetchOfStore !== undefined)
    const ask = async (): Promise<string[]> => {
      const names: string[] = []
      for (const way of [storeFetch.unary, storeFetch.watch]) {
        const answer = await way(url, { headers: {}, body: '{}', signal: AbortSignal.timeout(20_000) })
        let name = ''
        for (let piece = await answer.read(); piece !== undefined; piece = await answer.read())
          name += toText(piece)
        names.push(name)
      }
      names.push(await (await fetchOfStore(url, {})).text())
      return names
    }
    assert.deepEqual(await ask(), ['first', 'first', 'first'])
    current = shown.get('second')
    assert.deepEqual(await ask(), ['second', 'second', 'second'])
  })

  it('connects for gRPC with the certificate', async () => {
    const tls = shown.get('first')
    assert.ok(storeOverTls !== undefined && tls !== undefined)
    const { connectHttp2 } = storeOverTls(() => tls)
    assert.ok(connectHttp2 !== undefined)
    const options = { windowBytes: 65_536, signal: AbortSignal.timeout(20_000) }
    const connection = await connectHttp2(new URL(url).origin, options)
    await connection.ping()
    connection.destroy()
  })
})
