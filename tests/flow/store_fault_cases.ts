/**
 * What may stand in a store's place, for each of the two ways to etcd.
 *
 * @module
 */

import type { ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import {
  answerHttp,
  answerHttp2,
  garbling,
  passOnTo,
  resetting,
  silent,
  type Manner,
} from '../support/faulty_front.ts'

/** A fault. */
export interface StoreFault {
  readonly name: string
  readonly manner: Manner | 'refuse'
  /** It is an etcd, but not ours. */
  readonly isOther?: boolean
}

const PAGE = '<!doctype html><title>Welcome</title><p>It works</p>'
const TEN_MEGABYTES = 10_000_000
const PIECE = Buffer.alloc(1024 * 1024, 0x20)
/** A gRPC message's head: not compressed, 4 GiB - 1 to come. */
const ENDLESS_MESSAGE = Buffer.from([0, 0xff, 0xff, 0xff, 0xff])
/** A gRPC message of four bytes that are no field. */
const NO_MESSAGE = Buffer.from([0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff])
const GRPC_HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' }

/** Of the JSON gateway. */
export function gatewayFaults(otherCluster: number): readonly StoreFault[] {
  return [
    { name: 'refuses connections', manner: 'refuse' },
    { name: 'accepts and stays silent', manner: silent },
    { name: 'resets connections', manner: resetting },
    { name: 'answers a page', manner: answerHttp((_, response) => answer(response, 200, PAGE, 'text/html')) },
    {
      name: 'answers a page of 502',
      manner: answerHttp((_, response) => answer(response, 502, PAGE, 'text/html')),
    },
    {
      name: 'answers half of a JSON text',
      manner: answerHttp((_, response) => answer(response, 200, '{"header":{"revision":"1')),
    },
    {
      name: 'breaks off within an answer',
      manner: answerHttp((_, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1_000 })
        response.write('{"header":{"revi', () => response.destroy())
      }),
    },
    {
      name: 'answers 10 MB',
      manner: answerHttp((_, response) => answer(response, 200, `"${'x'.repeat(TEN_MEGABYTES)}"`)),
    },
    { name: 'answers without end', manner: answerHttp((_, response) => writeForEver(response)) },
    {
      name: 'redirects',
      manner: answerHttp((_, response) => {
        response.writeHead(307, { Location: `http://127.0.0.1:${otherCluster}/v3/kv/range` }).end()
      }),
    },
    { name: 'is another cluster', manner: passOnTo(otherCluster), isOther: true },
  ]
}

/** Of gRPC. */
export function grpcFaults(otherCluster: number): readonly StoreFault[] {
  return [
    { name: 'refuses connections', manner: 'refuse' },
    { name: 'accepts and stays silent', manner: silent },
    { name: 'takes calls and stays silent', manner: answerHttp2(() => undefined) },
    { name: 'resets connections', manner: resetting },
    { name: 'resets calls', manner: answerHttp2((stream) => stream.close(2)) },
    { name: 'answers bytes that mean nothing', manner: garbling },
    { name: 'answers HTTP/1', manner: answerHttp((_, response) => answer(response, 200, PAGE, 'text/html')) },
    {
      name: 'answers a page',
      manner: answerHttp2((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' })
        stream.end(PAGE)
      }),
    },
    {
      name: 'answers a page of 502',
      manner: answerHttp2((stream) => {
        stream.respond({ ':status': 502, 'content-type': 'text/html' })
        stream.end(PAGE)
      }),
    },
    {
      name: 'answers what is no message',
      manner: answerHttp2((stream) => {
        stream.respond(GRPC_HEADERS)
        stream.end(NO_MESSAGE)
      }),
    },
    {
      name: 'answers a message without end',
      manner: answerHttp2((stream) => {
        stream.respond(GRPC_HEADERS)
        stream.write(ENDLESS_MESSAGE)
        writeForEver(stream)
      }),
    },
    {
      name: 'redirects',
      manner: answerHttp2((stream) => {
        stream.respond({ ':status': 307, location: `http://127.0.0.1:${otherCluster}/` })
        stream.end()
      }),
    },
    { name: 'is another cluster', manner: passOnTo(otherCluster), isOther: true },
  ]
}

function answer(response: ServerResponse, status: number, body: string, type = 'application/json'): void {
  response.writeHead(status, { 'Content-Type': type, Connection: 'close' }).end(body)
}

function writeForEver(sink: ServerResponse | ServerHttp2Stream): void {
  const write = (): void => {
    while (!sink.destroyed && sink.write(PIECE));
  }
  sink.on('drain', write)
  sink.on('error', () => undefined)
  write()
}
