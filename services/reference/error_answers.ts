/**
 * Describes the errors of routes: which codes there are, with which status, and in which form.
 *
 * @module
 */

import { AvisoError, ERRORS, type AvisoErrorCode } from '#shared/errors.ts'
import type { ErrorForm, JsonSchema, OperationDoc } from '#shared/http/doc.ts'
import { count, digits, json, named, object, text, time } from '#shared/http/doc.ts'
import { PROBLEM_TYPE } from '#shared/http/problem.ts'
import { wireCode } from '#shared/http/respond.ts'

/** What anything can be answered with. */
const ANYWHERE: readonly AvisoErrorCode[] = ['ERR_INTERNAL', 'ERR_MISDIRECTED']
/** What a write of a page is answered with, where it may not write. */
const WRITES: readonly AvisoErrorCode[] = ['ERR_FORBIDDEN']
/** What who may not use a route is answered with, or uses it too much. */
const RESTRICTED: readonly AvisoErrorCode[] = [
  'ERR_BAD_REQUEST',
  'ERR_UNAUTHENTICATED',
  'ERR_FORBIDDEN',
  'ERR_TOO_MANY_REQUESTS',
  'ERR_OVERLOADED',
  'ERR_VERDICT_UNAVAILABLE',
]
/** What services answer that wait for their store. */
const WAITING: readonly AvisoErrorCode[] = ['ERR_STORE_UNAVAILABLE']
/** What is answered before a route is found, in the form of 1.x whatever the route. */
const BEFORE_ROUTES: readonly AvisoErrorCode[] = [...ANYWHERE, ...WRITES, ...WAITING]
/** Statuses that etcd's clients expect. */
const ETCD_STATUS: Partial<Record<AvisoErrorCode, number>> = {
  ERR_HISTORY_COMPACTED: 400,
  ERR_FUTURE_POSITION: 400,
}

/** Members that an error has where they help. */
const DETAILS: Readonly<Record<string, JsonSchema>> = {
  'field?': text('What is at fault'),
  'event?': text('Event type that is not known'),
  'offset?': count('Byte of the body'),
  'reason?': text(),
  'hint?': text('What is probably meant'),
  'limit?': text('Setting of the quota that is used up'),
  'limit_bytes?': count(),
  'max_bytes?': count(),
  'clock?': time(),
  'offers?': text('What the path answers with'),
  'damaged_key?': text(),
  'damaged_revision?': digits(),
  request_id: text('For the operator, who finds it in the log'),
}

/** The forms of errors, as named schemas. */
export function errorSchemas(): Readonly<Record<string, JsonSchema>> {
  const codes = Object.entries(ERRORS).filter(([code]) => code !== 'ERR_CONFIG')
  return {
    Error: object(
      { message: text(), code: text(), error: text(), details: text(), ...DETAILS },
      'An error in the form of 2.x',
    ),
    Error1x: object(
      { message: text(), code: text(), error: text(), detail: text(), ...DETAILS },
      'An error in the form of 1.x',
    ),
    ErrorEtcd: object(
      { message: text(), code: count('Of gRPC'), error: text(), 'oldest_revision?': digits(), ...DETAILS },
      "An error in the form of etcd's gateway",
    ),
    Problem: {
      ...object(
        {
          type: text(),
          title: text(),
          status: count(),
          detail: text(),
          'details?': text(),
          'code?': {},
          request_id: text(),
        },
        'An error as problem details (RFC 9457), for those whose Accept prefers them. Other members are as in the other forms',
      ),
      additionalProperties: true,
    },
    ErrorCode: {
      description: 'Every code of an error, in the form of 1.x. 2.x has other names for some.',
      oneOf: codes.map(([code, { status, meaning, remedy }]) => ({
        const: code,
        title: nameOf2x(code as AvisoErrorCode),
        description: `${status}: ${meaning} ${remedy}`,
      })),
    },
  }
}

/** All codes that a route can answer with, by status. */
export function errorsByStatus(operation: OperationDoc): ReadonlyMap<number, readonly AvisoErrorCode[]> {
  const { route, access, form, errors = [] } = operation
  const codes = new Set<AvisoErrorCode>([
    ...ANYWHERE,
    ...(route.startsWith('GET ') ? [] : WRITES),
    ...(access === 'everyone' || access === 'telemetry' ? [] : RESTRICTED),
    ...(access === 'everyone' ? [] : WAITING),
    ...errors,
  ])
  const found = new Map<number, AvisoErrorCode[]>()
  for (const code of codes) {
    const status = (form === 'etcd' ? ETCD_STATUS[code] : undefined) ?? ERRORS[code].status
    found.set(status, [...(found.get(status) ?? []), code])
  }
  return new Map([...found].toSorted(([a], [b]) => a - b))
}

/** The answer with one status. */
export function errorAnswer(
  status: number,
  codes: readonly AvisoErrorCode[],
  operation: OperationDoc,
): JsonSchema {
  const lines = codes.map((code) => {
    const { meaning, remedy } = ERRORS[code]
    return `- \`${shownCode(code, operation.form)}\`: ${meaning} ${remedy}`
  })
  return {
    description: lines.join('\n'),
    headers: headersOf(status),
    content: schemasAs(bodySchema(status, codes, operation)),
  }
}

function shownCode(code: AvisoErrorCode, form: ErrorForm): string {
  return form === 2 ? nameOf2x(code) : code
}

function nameOf2x(code: AvisoErrorCode): string {
  return wireCode(new AvisoError(code, ''), 2)
}

function schemasAs(schema: JsonSchema): Readonly<Record<string, object>> {
  const content = { ...json(schema), [PROBLEM_TYPE]: named('Problem') }
  return Object.fromEntries(Object.entries(content).map(([type, body]) => [type, { schema: body }]))
}

function headersOf(status: number): Readonly<Record<string, object>> {
  const header = (name: string): [string, object] => [name, { $ref: `#/components/headers/${name}` }]
  return Object.fromEntries([
    header('X-Request-ID'),
    ...(status === 401 ? [header('WWW-Authenticate')] : []),
    ...(status === 429 || status === 503 ? [header('Retry-After')] : []),
  ])
}

function bodySchema(
  status: number,
  codes: readonly AvisoErrorCode[],
  { form, codes: more = [], errorMembers = {} }: OperationDoc,
): JsonSchema {
  const inForm = (name: string, values: readonly string[]): JsonSchema => ({
    allOf: [named(name)],
    properties: { ...errorMembers, code: { enum: values } },
  })
  const form1 = inForm('Error1x', codes)
  const form2 = inForm('Error', [...new Set([...codes.map(nameOf2x), ...(status === 400 ? more : [])])])
  const before = codes.filter((code) => BEFORE_ROUTES.includes(code))
  switch (form) {
    case 1:
      return form1
    case 'both':
      return { anyOf: [form1, form2] }
    case 2:
      return before.length === 0 ? form2 : { anyOf: [form2, inForm('Error1x', before)] }
    case 'etcd':
      return before.length === 0
        ? named('ErrorEtcd')
        : { anyOf: [named('ErrorEtcd'), inForm('Error1x', before)] }
  }
}
