/**
 * The client behind a proxy: a child process, a real proxy of HTTP/1.1, and a scripted service under a name that only the proxy knows.
 *
 * @module
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { runClient, spawnClient } from '../support/client_program.ts'
import { temporaryFolder } from '../support/server.ts'
import { answer, notificationFrame, openStream, scriptedService } from '../unit/scripts/aviso/fixture.ts'

const FLIGHT = 'event=flight,country=Italy,airport=fco,date=20210101,number=AZ203'
/** A name of the documentation domain (RFC 2606), which nothing else resolves. */
const SERVICE = 'http://aviso.example'

/** A proxy that takes every request to one server. @param password what it wants, as `user:password` */
async function startProxy(
  context: TestContext,
  port: string,
  password?: string,
): Promise<{ readonly url: string; readonly seen: string[] }> {
  const seen: string[] = []
  const wanted = password === undefined ? undefined : `Basic ${btoa(password)}`
  const proxy = createServer((asked, response) => {
    seen.push(`${asked.method ?? ''} ${asked.url ?? ''}`)
    if (asked.headers['proxy-authorization'] !== wanted) {
      response.writeHead(407).end()
      return
    }
    const { pathname, search } = new URL(asked.url ?? '')
    const options = {
      port,
      host: '127.0.0.1',
      method: asked.method,
      path: pathname + search,
      headers: asked.headers,
    }
    const onward = request(options, (answered) => {
      response.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
      response.flushHeaders()
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    asked.pipe(onward)
  })
  proxy.on('connect', (asked, socket) => {
    seen.push(`CONNECT ${asked.url ?? ''}`)
    const onward = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => (onward.destroy(), socket.destroy()))
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  context.after(async () => {
    proxy.closeAllConnections()
    proxy.close()
    await once(proxy, 'close')
  })
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, seen }
}

describe('the client behind a proxy', () => {
  it('notifies, listens and posts through http_proxy, and says so in config show', async (context) => {
    const service = await scriptedService(context, [
      (response, { url }) => {
        if (url.pathname !== '/api/v1/watch') return answer(response, 200, { schema: {} })
        openStream(response)
        response.write(notificationFrame(1))
      },
    ])
    const proxy = await startProxy(context, new URL(service.url).port)
    const home = await temporaryFolder(context)
    const environment = { http_proxy: proxy.url }
    const notified = await runClient(['notify', FLIGHT], { home, url: SERVICE, environment })
    assert.deepEqual([notified.code, notified.stderr], [0, ''])
    await writeFile(
      join(home, 'l.yaml'),
      'listeners: [{event: flight, request: {}, triggers: [{type: post, protocol: {type: cloudevents_http, url: "http://receiver.example/in"}}, {type: echo}]}]',
    )
    const child = spawnClient(['listen', 'l.yaml'], { home, url: SERVICE, environment })
    context.after(() => void child.kill('SIGKILL'))
    await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'close')
    assert.equal(child.exitCode, 0)
    assert.deepEqual(
      proxy.seen.filter((line) => !line.includes('/schema')),
      [
        `POST ${SERVICE}/api/v1/notification`,
        `GET ${SERVICE}/api/v1/watch?event=flight`,
        'POST http://receiver.example/in',
      ],
    )
    const shown = await runClient(['config', 'show'], { home, url: SERVICE, environment })
    assert.match(shown.stdout, new RegExp(`^proxy +${proxy.url} +http_proxy$`, 'm'))
  })

  it('opens a tunnel for https, and goes straight to what no_proxy names', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    const { port } = new URL(service.url)
    const proxy = await startProxy(context, port)
    const home = await temporaryFolder(context)
    const file = join(home, 'c.yaml')
    await writeFile(file, 'notification_engine: {timeout: 1, automatic_retry_delay: 0.001}')
    const tunnel = await runClient(['value', FLIGHT, '-c', file], {
      home,
      url: 'https://aviso.example',
      environment: { https_proxy: proxy.url },
    })
    // The service behind it speaks no TLS, so the tunnel is all that there can be.
    assert.equal(tunnel.code, 255)
    assert.ok(proxy.seen.length > 0 && proxy.seen.every((line) => line === 'CONNECT aviso.example:443'))
    proxy.seen.length = 0
    const straight = await runClient(['value', FLIGHT, '-c', file], {
      home,
      url: SERVICE,
      environment: { http_proxy: proxy.url, no_proxy: '.example' },
    })
    assert.equal(straight.code, 255)
    assert.match(
      straight.stderr,
      /Unable to connect to http:\/\/aviso\.example \(the host name is unknown: getaddrinfo /,
    )
    assert.deepEqual(proxy.seen, [])
  })

  it('names the proxy that cannot be reached, wants a password, or is none', async (context) => {
    const service = await scriptedService(context, [(response) => answer(response, 200, {})])
    const { port } = new URL(service.url)
    const proxy = await startProxy(context, port, 'joe:secret')
    const home = await temporaryFolder(context)
    const file = join(home, 'c.yaml')
    await writeFile(file, 'notification_engine: {automatic_retry_delay: 0.001}')
    const run = (value: string) =>
      runClient(['value', FLIGHT, '-c', file, '--no-fail'], {
        home,
        url: SERVICE,
        environment: { http_proxy: value },
      })
    const { host } = new URL(proxy.url)
    assert.match(
      (await run('http://127.0.0.1:1')).stderr,
      /ECONNREFUSED 127\.0\.0\.1:1, through the proxy http:\/\/127\.0\.0\.1:1 of http_proxy/,
    )
    const refused = await run(`http://joe:wrong@${host}`)
    assert.match(
      refused.stderr,
      /the proxy http:\/\/joe:…@127\.0\.0\.1:\d+ of http_proxy answered 407: it wants a user name/,
    )
    assert.doesNotMatch(refused.stderr, /wrong/)
    assert.match((await run(`http://joe:secret@${host}`)).stdout, /^None$/m)
    assert.match((await run('socks5://p:1')).stderr, /^http_proxy: not the address of a proxy/)
  })
})
