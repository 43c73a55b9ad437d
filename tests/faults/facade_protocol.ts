/**
 * What a client of aviso 1.x or of etcd reads: `POST /v3/watch`, resumed by revision.
 *
 * @module
 */

import type { Protocol, Told } from './listener.ts'
import { nameOfValue, type Write } from './records.ts'
import { fromB64 } from '../support/etcd_wire.ts'

/** A listener to all keys under a prefix. Its cursor is the last revision that it has. */
export function createFacadeProtocol(prefix: string): Protocol {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
  return {
    request: (cursor) => ({
      path: '/v3/watch',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        create_request: {
          key: btoa(prefix),
          range_end: btoa(end),
          progress_notify: true,
          ...(cursor !== undefined && { start_revision: String(BigInt(cursor) + 1n) }),
        },
      }),
    }),
    reader: (take, cursor) => {
      let rest = ''
      return (text) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          if (line === '') continue
          const told = read(JSON.parse(line) as Line, cursor === undefined)
          if (told !== undefined) take(told)
        }
      }
    },
    refusal: (status, body) =>
      status === 400 && body.includes('compacted')
        ? { step: { kind: 'gap', at: performance.now(), oldest: undefined }, cursor: null }
        : undefined,
    positionOf: (cursor) => ({ revision: BigInt(cursor) }),
  }
}

/** The members of a line that are read here. */
interface Line {
  readonly error?: { readonly message?: string }
  readonly result?: {
    readonly header?: { readonly revision?: string }
    readonly created?: boolean
    readonly canceled?: boolean
    readonly compact_revision?: string
    readonly events?: readonly {
      readonly type?: string
      readonly kv: { readonly key: string; readonly value?: string; readonly mod_revision: string }
    }[]
  }
}

function read({ result, error }: Line, isFromNow: boolean): Told | undefined {
  // The stream ends, and is resumed.
  if (result === undefined) return { reason: error?.message ?? 'error' }
  const at = performance.now()
  const revision = result.header?.revision ?? '0'
  if (result.canceled === true) {
    const oldest = result.compact_revision === undefined ? undefined : BigInt(result.compact_revision)
    const cursor = oldest === undefined ? null : String(oldest - 1n)
    return { step: { kind: 'gap', at, oldest }, reason: 'gap', cursor }
  }
  if (result.created === true) {
    // Tells where a stream from now on starts; one that goes on starts where it was asked to.
    return isFromNow
      ? { step: { kind: 'origin', at, position: { revision: BigInt(revision) } }, cursor: revision }
      : undefined
  }
  if (result.events === undefined || result.events.length === 0) {
    return { step: { kind: 'reached', at, position: { revision: BigInt(revision) } }, cursor: revision }
  }
  const writes = result.events.map(({ type, kv }): Write => {
    const key = fromB64(kv.key)
    if (type === 'DELETE') return { kind: 'delete', key, value: '' }
    return { kind: 'put', key, value: nameOfValue(fromB64(kv.value ?? '')) }
  })
  const own = result.events[0]?.kv.mod_revision ?? revision
  return { step: { kind: 'revision', at, revision: BigInt(own), writes }, cursor: own }
}
