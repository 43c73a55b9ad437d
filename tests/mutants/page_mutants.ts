/**
 * Mutants of what web pages may do: tickets, and the origins that may read.
 *
 * @module
 */

import type { Mutant } from './mutant.ts'

/** Changes of one file, each from text to text. */
const of = (
  file: string,
  tests: Mutant['tests'],
  changes: Readonly<Record<string, string>>,
): readonly Mutant[] => Object.entries(changes).map(([from, to]) => ({ file, from, to, tests }))

/** Every one. */
export const PAGE_MUTANTS: readonly Mutant[] = [
  ...of('services/auth/tickets.ts', ['tickets'], {
    'return succeeded ? kv.value : undefined': 'return kv.value',
    'if (count < BigInt(MAX_OUTSTANDING)) return': 'if (count >= 0n) return',
    'if (!issued.take(principal)) {': 'if (!issued.take(requestId)) {',
    'if (network !== undefined) wrong.take(network)': '',
    'if (more.length > 0) throw refusal': 'if (more.length > 5) throw refusal',
    "if (headers.has('authorization')) throw refusal": "if (headers.has('nothing')) throw refusal",
    'Math.min(clock.now() + TICKET_SECONDS * 1000, credentialEnd)': 'clock.now() + TICKET_SECONDS * 1000',
  }),
  ...of('shared/access/identity/ticket.ts', ['tickets'], {
    "typeof endsAt !== 'number' || now >= endsAt ||": "typeof endsAt !== 'number' ||",
    'const sealed = await crypto.subtle.encrypt(cipherOf(place), await keyOf(ticket), toBytes(text))':
      'const sealed = toBytes(text)',
  }),
  ...of('shared/http/pages.ts', ['pages'], {
    'mayRead: (origin) => isOpen || named.has(origin)': 'mayRead: () => true',
    'isNamed: (origin) => named.has(origin),': 'isNamed: () => true,',
    'const { [ALLOW_ORIGIN]: _own, ...rest } = headers': 'const rest = headers',
    "...(origins.isOpen ? rest : addVary(rest, 'Origin')),": '...rest,',
  }),
  ...of('services/rest/handler.ts', ['pages'], {
    'if (origin !== null && mayPublish?.(origin) === true) return': 'if (origin !== null) return',
  }),
  ...of('services/system/shared_settings.ts', ['pages'], {
    "({ allowedOrigins, identity }) => allowedOrigins === undefined || identity !== 'none',": '() => true,',
  }),
]
