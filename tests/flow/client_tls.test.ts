/**
 * The client and services whose certificates come from an authority of one's own: a child process, and a server with TLS.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createServer as createPlainServer } from 'node:http'
import { createAuthority, opensslMissing } from '../support/certificates.ts'
import { runClient, spawnClient } from '../support/client_program.ts'
import { temporaryFolder } from '../support/server.ts'
import { eventually } from '../support/waiting.ts'
import { notificationFrame, openStream } from '../unit/scripts/aviso/fixture.ts'

/** Attempts that cannot succeed follow one another at once. */
const QUICK = { AVISO_AUTOMATIC_RETRY_DELAY: '0.01' }
const FLIGHT = 'event=flight,country=Italy,airport=fco,date=20210101,number=AZ203'

describe("authorities of one's own", { skip: await opensslMissing() }, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aviso-tls-'))
    await (await createAuthority(folder)).issue('server')
    await mkdir(join(folder, 'other'))
    await (await createAuthority(join(folder, 'other'))).issue('server')
  })
  after(() => rm(folder, { recursive: true }))

  /** A service with TLS that streams one notification. */
  async function startSecure(
    context: TestContext,
  ): Promise<{ readonly url: string; readonly asked: string[]; readonly posted: string[] }> {
    const [cert, key] = [
      await readFile(join(folder, 'server.pem')),
      await readFile(join(folder, 'server.key')),
    ]
    const asked: string[] = []
    const posted: string[] = []
    const server = createServer({ cert, key }, (request, response) => {
      asked.push(`${request.method ?? ''} ${request.url?.split('?')[0] ?? ''}`)
      if (request.url?.startsWith('/api/v1/watch') === true) {
        openStream(response)
        response.write(notificationFrame(1))
        return
      }
      let body = ''
      request.on('data', (chunk) => (body += String(chunk)))
      request.on('end', () => {
        if (request.url === '/in') posted.push(body)
        response.end('{"schema":{}}')
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return { url: `https://localhost:${(server.address() as AddressInfo).port}`, asked, posted }
  }

  for (const [what, argv, environment] of [
    ['--ca-file', ['--ca-file', 'authority.pem'], {}],
    ['AVISO_CA_FILE', [], { AVISO_CA_FILE: 'authority.pem' }],
    ['SSL_CERT_FILE', [], { SSL_CERT_FILE: 'authority.pem' }],
  ] as const) {
    it(`vouch for the service, by ${what}`, async (context) => {
      const { url, asked } = await startSecure(context)
      const home = await temporaryFolder(context)
      await writeFile(join(home, 'authority.pem'), await readFile(join(folder, 'authority.pem')))
      const run = await runClient(['notify', FLIGHT, ...argv], { home, url, environment })
      assert.deepEqual([run.code, run.stderr, asked], [0, '', ['POST /api/v1/notification']])
    })
  }

  it('vouch for streams and for receivers of posts, and a file of the configuration may name them', async (context) => {
    const { url, posted } = await startSecure(context)
    const home = await temporaryFolder(context)
    await mkdir(join(home, '.aviso'))
    await writeFile(join(home, '.aviso', 'config.yaml'), `ca_file: ~/authority.pem\n`)
    await writeFile(join(home, 'authority.pem'), await readFile(join(folder, 'authority.pem')))
    await writeFile(
      join(home, 'l.yaml'),
      `listeners: [{event: flight, request: {}, triggers: [{type: post, protocol: {type: cloudevents_http, url: "${url}/in"}}]}]`,
    )
    const child = spawnClient(['listen', 'l.yaml'], { home, url })
    context.after(() => void child.kill('SIGKILL'))
    await eventually('it is posted', async () => posted.length === 1)
    assert.match(posted[0] ?? '', /"AZ1"/)
  })

  it('vouch for what is behind a proxy', async (context) => {
    const { url, asked } = await startSecure(context)
    const home = await temporaryFolder(context)
    const { port } = new URL(url)
    const proxy = createPlainServer()
    proxy.on('connect', (_request, socket) => {
      const onward = connect(Number(port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        onward.pipe(socket).pipe(onward)
      })
      for (const end of [onward, socket]) end.on('error', () => (onward.destroy(), socket.destroy()))
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    context.after(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    const environment = {
      // The certificate has this machine's address, and a proxy is not asked for that. A name is not resolved here.
      https_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      AVISO_CA_FILE: join(folder, 'authority.pem'),
      ...QUICK,
    }
    const run = await runClient(['notify', FLIGHT], { home, url: 'https://aviso.example', environment })
    assert.equal(run.code, 255)
    // The authority is trusted, so that only the name is wrong.
    assert.match(run.stderr, /altnames/)
    assert.deepEqual(asked, [])
  })

  it('are named where nobody vouches: without any, and with others', async (context) => {
    const { url, asked } = await startSecure(context)
    const home = await temporaryFolder(context)
    const { host } = new URL(url)
    const without = await runClient(['notify', FLIGHT], { home, url, environment: QUICK })
    assert.equal(without.code, 255)
    assert.ok(
      without.stderr.includes(`no known authority vouches for the certificate of ${host} (`),
      without.stderr,
    )
    assert.match(without.stderr, /name the file of its authority with --ca-file, AVISO_CA_FILE or ca_file/)
    const other = join(folder, 'other', 'authority.pem')
    const wrong = await runClient(['notify', FLIGHT, '--ca-file', other], { home, url, environment: QUICK })
    assert.equal(wrong.code, 255)
    assert.ok(wrong.stderr.includes(`no known authority and none in ${other} vouches for`), wrong.stderr)
    assert.deepEqual(asked, [])
  })

  it('stop no command where a variable of other programs names a file that is not there', async (context) => {
    const { url } = await startSecure(context)
    const home = await temporaryFolder(context)
    const environment = { SSL_CERT_FILE: 'none.pem', ...QUICK }
    const { stderr } = await runClient(['notify', FLIGHT], { home, url, environment })
    assert.match(
      stderr,
      /^SSL_CERT_FILE: There is no file none\.pem\. Only the usual authorities are trusted/,
    )
    assert.match(stderr, /no known authority vouches/)
  })

  it('must be in their file', async (context) => {
    const home = await temporaryFolder(context)
    await writeFile(join(home, 'empty.pem'), 'nothing')
    await writeFile(join(home, 'bad.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    for (const [file, expected] of [
      ['none.pem', /^--ca-file: There is no file none\.pem/],
      ['empty.pem', /^--ca-file: empty\.pem holds no certificate: give certificates in PEM form/],
      ['bad.pem', /^--ca-file: bad\.pem, certificate 1: not a certificate: /],
      ['.', /^--ca-file: Cannot read \.: /],
    ] as const) {
      const { code, stderr } = await runClient(['notify', FLIGHT, '--ca-file', file], { home })
      assert.equal(code, 255)
      assert.match(stderr, expected)
    }
  })
})
