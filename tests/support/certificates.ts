/**
 * Certificates for tests, made by `openssl`.
 *
 * @module
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from '../../scripts/run_command.ts'
import { missing } from './missing.ts'

const NEW_KEY = '-newkey rsa:2048 -nodes'

/** Why there are none here, or `false`. @throws {Error} Instead of the reason where `CI` is set. */
export function opensslMissing(): Promise<string | false> {
  return missing(() => outputOf('openssl', ['version']))
}

/** An authority of a test: `authority.pem` in its folder. */
export interface TestAuthority {
  /** Path of its certificate. */
  readonly file: string
  /** Makes `NAME.pem` and `NAME.key` for this machine. @param flags such as `-days 1`. @returns their paths. */
  issue(
    name: string,
    ...flags: readonly string[]
  ): Promise<{ readonly certificate: string; readonly key: string }>
}

/** Makes an authority in an empty folder. */
export async function createAuthority(folder: string): Promise<TestAuthority> {
  const openssl = (line: string, ...flags: readonly string[]): Promise<string> =>
    outputOf('openssl', [...line.split(' '), ...flags], { folder })
  await openssl(
    `req -x509 ${NEW_KEY} -keyout authority.key -out authority.pem -days 2 -subj /CN=aviso-test-authority`,
  )
  await writeFile(
    join(folder, 'names'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n',
  )
  return {
    file: join(folder, 'authority.pem'),
    issue: async (name, ...flags) => {
      await openssl(`req ${NEW_KEY} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
      const days = flags.length === 0 ? ['-days', '2'] : flags
      await openssl(
        `x509 -req -in ${name}.csr -CA authority.pem -CAkey authority.key -CAcreateserial -CAserial ${name}.srl -extfile names -out ${name}.pem`,
        ...days,
      )
      return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
    },
  }
}
