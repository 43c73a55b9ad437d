/**
 * Section C: credentials that are none, or somebody else's. The tokens are made when the rows are.
 *
 * @module
 */

import type { JWTPayload } from 'jose'
import {
  base64Url,
  CANARY,
  claimsOf,
  createIssuerKey,
  secondsAt,
  signRaw,
  signRawShared,
  signToken,
  type IssuerKey,
} from '../support/tokens.ts'
import { numbered, RANGE, type HostileRow } from './row.ts'
import { b64 } from '../support/etcd_wire.ts'

/** Readable by every identity, so that nothing but the credential is in question. */
const BODY = JSON.stringify({ key: b64('/ec/mars/'), range_end: b64('/ec/mars0') })

function row(
  what: string,
  authorization: string,
  status = 401,
  more: Partial<HostileRow> = {},
): Omit<HostileRow, 'id'> {
  // A token that is not of our issuer is shown to the server for opaque ones.
  return {
    what,
    path: RANGE,
    headers: { authorization },
    body: BODY,
    from: 'nobody',
    status,
    asks: true,
    ...more,
  }
}

/** Rows with tokens of an issuer whose key this is. */
export async function credentialRows(key: IssuerKey, nowMs: number): Promise<readonly HostileRow[]> {
  const now = secondsAt(nowMs)
  const claims = (more: JWTPayload = {}): JWTPayload => claimsOf('olga', nowMs, more)
  const bearer = async (more: JWTPayload): Promise<string> => `Bearer ${await signToken(key, claims(more))}`
  const raw = async (header: object | string, payload: object | string = claims()): Promise<string> =>
    `Bearer ${await signRaw(key, textOf(header), textOf(payload))}`
  const head = { alg: 'ES256', kid: key.keyId }
  const right = await signToken(key, claims())
  const other = await createIssuerKey(key.keyId)
  return [
    { id: 'C01', what: 'no credential', path: RANGE, body: BODY, from: 'nobody', status: 401 },
    ...numbered('C02', [
      ...['Bearer', 'Bearer ', `bearer\t${right}`, `Bearer ${right} x`, `Token ${right}`, right].map(
        (value) => row(`Authorization: ${value.slice(0, 24)}`, value),
      ),
      row('two tokens', `Bearer ${right}, Bearer ${right}`, 400),
    ]),
    ...numbered('C03', [
      row('a JWT as the key of an e-mail', `EmailKey olga@x.int:${right}`),
      row('a JWT as a password', `Basic ${btoa(`olga:${right}`)}`),
    ]),
    ...numbered(
      'C04',
      ['a:b:c', ':tok', 'a:', 'a', '::', 'a b:c'].map((value) =>
        row(`EmailKey ${value}`, `EmailKey ${value}`),
      ),
    ),
    row05(right),
    ...numbered(
      'C06',
      ['%00', 'ü', 'a===', 'a=b', '"x"', '{}', '<x>', 'a;b', '\\x00'].map((token) =>
        row(`token ${token}`, `Bearer ${token}`),
      ),
    ),
    ...numbered('C07', [
      ...(await Promise.all(
        ['none', 'None', 'nOnE', '', 7, null, 'HS256', 'RS256', 'PS256', 'ES384', 'es256', ['ES256']].map(
          async (alg) => row(`alg ${JSON.stringify(alg)}`, await raw({ ...head, alg })),
        ),
      )),
      row('no alg', await raw({ kid: key.keyId })),
      row(
        'alg none without a signature',
        `Bearer ${base64Url('{"alg":"none"}')}.${base64Url(JSON.stringify(claims()))}.`,
      ),
    ]),
    ...numbered(
      'C08',
      await Promise.all(
        [JSON.stringify(key.publicJwk), key.publicJwk.x ?? '', ''].map(async (secret) => {
          const bytes = new TextEncoder().encode(secret.padEnd(1))
          const header = JSON.stringify({ alg: 'HS256', kid: key.keyId })
          return row(
            'the public key as a shared secret',
            `Bearer ${await signRawShared(bytes, header, JSON.stringify(claims()))}`,
          )
        }),
      ),
    ),
    ...numbered('C09', [row('a JWE of five parts', `Bearer ${right}.${base64Url('x')}.${base64Url('y')}`)]),
    ...numbered(
      'C10',
      await Promise.all(
        [
          { jwk: other.publicJwk },
          { jku: 'http://127.0.0.2:9/keys' },
          { x5u: 'http://127.0.0.2:9/cert' },
          { x5c: ['MIIB'] },
        ].map(async (more) =>
          row(`a header with ${Object.keys(more).join()}`, await raw({ ...head, ...more })),
        ),
      ),
    ),
    ...numbered(
      'C11',
      await Promise.all(
        [{ crit: ['exp'] }, { crit: [] }, { b64: false }, { b64: false, crit: ['b64'] }, { zip: 'DEF' }].map(
          async (more) => row(`a header with ${JSON.stringify(more)}`, await raw({ ...head, ...more })),
        ),
      ),
    ),
    ...numbered(
      'C12',
      await Promise.all(
        ['../../etc/passwd', "' or 1=1", 'x'.repeat(1000), 7, [], null, '', 'unknown'].map(async (kid) =>
          row(`kid ${JSON.stringify(kid).slice(0, 30)}`, await raw({ alg: 'ES256', kid })),
        ),
      ),
    ),
    ...numbered(
      'C13',
      await Promise.all(
        [undefined, String(now + 60), 1e99, -1, now - 61, now - 60.5, null, true, []].map(async (exp) =>
          row(`exp ${String(exp)}`, await raw(head, { ...claims(), exp })),
        ),
      ),
    ),
    ...numbered('C15', [
      row('nbf in two minutes', await bearer({ nbf: now + 120 })),
      row('iat in ten minutes', await bearer({ iat: now + 600 })),
    ]),
    ...numbered(
      'C16',
      await Promise.all(
        [
          'https://evil.test',
          'https://issuer.test/',
          'HTTPS://ISSUER.TEST',
          ['https://issuer.test'],
          '',
          null,
        ].map(async (iss) => row(`iss ${JSON.stringify(iss)}`, await raw(head, { ...claims(), iss }))),
      ),
    ),
    ...numbered(
      'C17',
      await Promise.all(
        ['other', [], ['other'], '', null, undefined, 'AVISO', { aviso: 1 }].map(async (aud) =>
          row(`aud ${JSON.stringify(aud)}`, await raw(head, { ...claims(), aud })),
        ),
      ),
    ),
    ...numbered(
      'C18',
      await Promise.all(
        [undefined, '', ' ', 'x'.repeat(5000), 'a\u0000b', {}, 'admin\u202e', 7, ['olga']].map(async (sub) =>
          row(`sub ${JSON.stringify(sub)?.slice(0, 20)}`, await raw(head, { ...claims(), sub })),
        ),
      ),
    ),
    ...numbered('C19', [row('an ID token', await bearer({ at_hash: 'x', nonce: 'y' }))]),
    ...numbered('C20', [
      row('two subjects', await raw(head, `${JSON.stringify(claims()).slice(0, -1)},"sub":"operator"}`)),
      row('a payload that is a list', await raw(head, '[]')),
      row('a payload that is text', await raw(head, '"olga"')),
      row('a payload that is no JSON', await raw(head, 'olga')),
      row(
        'a payload with __proto__',
        await raw(head, `${JSON.stringify(claims()).slice(0, -1)},"__proto__":{"roles":["operator"]}}`),
      ),
    ]),
    ...numbered(
      'C21',
      otherLastCharacters(right).map((token) => row('another spelling of the signature', `Bearer ${token}`)),
    ),
    ...numbered('C22', [
      row('a signature by a key of the same name', `Bearer ${await signToken(other, claims())}`),
    ]),
    ...numbered(
      'C25',
      ['', 'foo', 'openid,plain', 'ECMWF', 'OpenID', 'plain'].map((type) =>
        row(`X-Auth-Type ${type}`, `Bearer ${right}`, 401, {
          headers: { authorization: `Bearer ${right}`, 'x-auth-type': type },
        }),
      ),
    ),
    ...numbered('C27', [
      row('a forged user beside a wrong token', `Bearer ${CANARY}-wrong`, 401, {
        headers: {
          authorization: `Bearer ${CANARY}-wrong`,
          'x-forwarded-user': 'operator',
          'remote-user': 'operator',
        },
      }),
    ]),
    {
      id: 'C14',
      what: 'a token that ended 59 s ago',
      path: RANGE,
      headers: { authorization: await bearer({ exp: now - 50 }) },
      body: BODY,
      from: 'nobody',
      status: 200,
      reads: true,
      asks: true,
    },
    {
      id: 'C15',
      what: 'a token whose time has a fraction, as RFC 7519 has it',
      path: RANGE,
      headers: { authorization: await bearer({ exp: now + 60.5 }) },
      body: BODY,
      from: 'nobody',
      status: 200,
      reads: true,
      asks: true,
    },
  ]
}

function row05(token: string): HostileRow {
  const long = `${token}${'A'.repeat(8193 - token.length)}`
  return { id: 'C05', ...row('a token of 8193 characters', `Bearer ${long}`) }
}

function otherLastCharacters(token: string): readonly string[] {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet
    .split('')
    .map((last) => token.slice(0, -1) + last)
    .filter((spelling) => spelling !== token)
}

function textOf(part: object | string): string {
  return typeof part === 'string' ? part : JSON.stringify(part)
}
