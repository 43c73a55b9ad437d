/**
 * A server that wants a certificate and answers with the name in it, over HTTP/1.1 and HTTP/2. It is a Node process of its own, because a test
 * of clients on other runtimes must not test their servers.
 *
 * Arguments: the files of authority, certificate and key. It prints its port, and ends with its standard input.
 *
 * @module
 */

import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { TLSSocket } from 'node:tls'

const [ca = '', cert = '', key = ''] = process.argv.slice(2).map((file) => readFileSync(file, 'utf8'))
const server = createSecureServer(
  { ca, cert, key, requestCert: true, rejectUnauthorized: true, allowHTTP1: true },
  (request, response) => {
    const { socket } = request
    response.end(socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject?.CN) : '')
  },
)
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
process.stdin.on('end', () => process.exit()).resume()
