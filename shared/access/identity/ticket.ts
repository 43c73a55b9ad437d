/**
 * Tickets: short texts that stand for a credential once, for programs that cannot send a header. A browser's `EventSource` is one.
 *
 * A ticket holds 32 secret bytes. From them follow the name under which the credential is kept, and the key that encrypts it. So whoever
 * keeps it, and all that copies it (history, backups), learns neither the credential nor the ticket. The credential itself is kept, because
 * the stream that the ticket opens is checked with it again and again, as any other stream.
 *
 * Flow: credential → **sealed ticket** → store → **credential** → identity
 *
 * @module
 */

import { joinBytes, toBytes, toText } from '#shared/bytes/bytes.ts'
import { toHex } from '#shared/bytes/sha256.ts'
import type { HandlerHeaders } from '#shared/handler.ts'
import { parseJsonRecord } from '#shared/json/record.ts'

/** The headers of a request that say who sends it. */
export const CREDENTIAL_HEADERS = ['authorization', 'x-auth-type'] as const

/** What a ticket stands for: the headers with the credential, by name in lower case. */
export type TicketHeaders = Readonly<Partial<Record<(typeof CREDENTIAL_HEADERS)[number], string>>>

/** A ticket, and what is kept of it. */
export interface SealedTicket {
  /** For the client only. */
  readonly ticket: string
  readonly place: TicketPlace
  /** What is kept there. */
  readonly sealed: Uint8Array
}

/** Where a ticket is kept. Nobody can make a ticket of it. */
export interface TicketPlace {
  /** The same for all tickets of one principal. */
  readonly owner: string
  readonly name: string
}

/** A ticket as it was read. */
export interface ReadTicket {
  readonly place: TicketPlace
  /** @returns the headers; `undefined` for a ticket whose time is over, and for what was not sealed with it. */
  open(sealed: Uint8Array, now: number): Promise<TicketHeaders | undefined>
}

/** Characters of the owner: 80 bits of SHA-256, which tell principals apart and name none. */
const OWNER_CHARACTERS = 20
const SECRET_BYTES = 32
/** Two lower-case hexadecimal texts: a ticket is written into addresses as it is. */
const TICKET = new RegExp(`^([0-9a-f]{${OWNER_CHARACTERS}})([0-9a-f]{${SECRET_BYTES * 2}})$`)
/** No initialisation vector is used twice with one key, because each key encrypts once. */
const IV = new Uint8Array(12)

/**
 * Makes a ticket.
 *
 * @param random Makes 128 random bits as text.
 * @param endsAt When the ticket ends, in milliseconds since 1970.
 */
export async function sealTicket(
  { principal, headers, endsAt }: { principal: string; headers: HandlerHeaders; endsAt: number },
  random: () => string,
): Promise<SealedTicket> {
  const owner = (await digestOf('owner', toBytes(principal))).slice(0, OWNER_CHARACTERS)
  const secret = await digestOf('secret', toBytes(`${random()} ${random()} ${random()}`))
  const ticket = owner + secret
  const place = await placeOf(owner, ticket)
  const credential = CREDENTIAL_HEADERS.flatMap((name) => {
    const value = headers.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  const text = JSON.stringify({ endsAt, headers: Object.fromEntries(credential) })
  const sealed = await crypto.subtle.encrypt(cipherOf(place), await keyOf(ticket), toBytes(text))
  return { ticket, place, sealed: new Uint8Array(sealed) }
}

/** @returns the ticket; `undefined` for a text that is none. */
export async function readTicket(text: string): Promise<ReadTicket | undefined> {
  const [, owner] = TICKET.exec(text) ?? []
  if (owner === undefined) return undefined
  const place = await placeOf(owner, text)
  return { place, open: async (sealed, now) => headersIn(await decrypt(text, place, sealed), now) }
}

async function decrypt(ticket: string, place: TicketPlace, sealed: Uint8Array): Promise<string | undefined> {
  try {
    const bytes = await crypto.subtle.decrypt(cipherOf(place), await keyOf(ticket), new Uint8Array(sealed))
    return toText(new Uint8Array(bytes))
  } catch {
    // Another key, or something that is no ticket.
    return undefined
  }
}

function headersIn(text: string | undefined, now: number): TicketHeaders | undefined {
  const { endsAt, headers } = parseJsonRecord(text ?? '') ?? {}
  if (typeof endsAt !== 'number' || now >= endsAt || typeof headers !== 'object' || headers === null)
    return undefined
  const found = CREDENTIAL_HEADERS.flatMap((name) => {
    const value: unknown = Object.entries(headers).find(([key]) => key === name)?.[1]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return Object.fromEntries(found)
}

async function placeOf(owner: string, ticket: string): Promise<TicketPlace> {
  return { owner, name: await digestOf('name', toBytes(ticket)) }
}

/** The place is authenticated too, so that nothing sealed at one place opens at another. */
function cipherOf({ owner, name }: TicketPlace): AesGcmParams {
  return { name: 'AES-GCM', iv: IV, additionalData: toBytes(`${owner}/${name}`) }
}

async function keyOf(ticket: string): Promise<CryptoKey> {
  const key = await crypto.subtle.digest('SHA-256', labelled('key', toBytes(ticket)))
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

/** A digest that is good for one purpose: no two purposes share one. In hexadecimal. */
async function digestOf(purpose: string, bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', labelled(purpose, bytes))))
}

function labelled(purpose: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return joinBytes([toBytes(`aviso ticket ${purpose}\n`), bytes])
}
