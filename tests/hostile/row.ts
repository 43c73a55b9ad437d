/**
 * Bad inputs as data: what is sent, and what must come of it.
 *
 * Numbers are those of the project's list of bad inputs; where the answer is another than the list has, the row says why.
 *
 * @module
 */

import type { SocketRuntime } from './socket_rows.ts'

/** Who sends it: joe may listen to destinations SCL and FOO and to open keys, the provider may publish dissemination to SCL. */
export type Sender = 'nobody' | 'joe' | 'provider' | 'operator'

/** One bad input. */
export interface HostileRow {
  /** Number of the list, with a letter where the list has several in one line. */
  readonly id: string
  /** What is bad about it. */
  readonly what: string
  /** Default: POST. */
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Default: joe. */
  readonly from?: Sender
  readonly status: number
  /** Where a runtime's own server answers otherwise, before we are asked. */
  readonly except?: Partial<Record<SocketRuntime, number>>
  /** Why the status is another than that of the list, or why an exception does no harm. */
  readonly because?: string
  /** The request may cost a call of the store: it is well-formed, and what is bad about it shows in the answer. */
  readonly reads?: boolean
  /** The request may cost a question to a server that identity or policy depends on. */
  readonly asks?: boolean
}

/** The listening facade. */
export const RANGE = '/v3/kv/range'
export const WATCH = '/v3/watch'
export const INGEST = '/api/v1/notification'

/** Numbers rows of one kind: `A01a`, `A01b`, … */
export function numbered(id: string, rows: readonly Omit<HostileRow, 'id'>[]): readonly HostileRow[] {
  return rows.map((row, index) => ({ id: `${id}${suffix(index)}`, ...row }))
}

function suffix(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26))
  return index < 26 ? letter : letter.repeat(2)
}
