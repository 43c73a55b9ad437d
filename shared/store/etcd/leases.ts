/**
 * How long the leases of an etcd still last, by its JSON gateway.
 *
 * @module
 */

import { createCaller, type CallerParts } from './call.ts'
import { createHttpTransport, type HttpTransportParts } from './http.ts'
import { decodeInteger } from './wire.ts'

const READ_LIMIT_MS = 2_000

/** @returns a function that tells the seconds that a lease still lasts; `undefined` where it has ended. */
export function createGatewayLeases(
  parts: HttpTransportParts & Omit<CallerParts, 'transport'>,
): (id: bigint) => Promise<number | undefined> {
  const caller = createCaller({ ...parts, transport: createHttpTransport(parts) })
  return async (id) => {
    const answer = await caller.call({
      path: '/v3/lease/timetolive',
      message: { ID: id.toString() },
      writes: false,
      limitMs: READ_LIMIT_MS,
    })
    // etcd says -1 for a lease that it does not know.
    const left = Number(decodeInteger(answer['TTL']))
    return left > 0 ? left : undefined
  }
}
