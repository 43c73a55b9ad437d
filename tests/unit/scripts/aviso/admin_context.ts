/** A command's context whose service is the real admin service, in this process. */

import { toFetchHandler } from '#shared/handler.ts'
import type { ClientConfig } from '../../../../scripts/aviso/config.ts'
import type { CommandContext } from '../../../../scripts/aviso/context.ts'
import { createIdleClock } from '../../../support/clock.ts'
import { setUp, type AdminFixture } from '../../../service/admin_fixture.ts'
import { never, recordedOutput, type RecordedOutput } from './fixture.ts'

export function adminContext(
  environment: CommandContext['environment'] = {},
): AdminFixture & { readonly context: CommandContext; readonly output: RecordedOutput } {
  const fixture = setUp()
  const output = recordedOutput()
  const config: Partial<ClientConfig> = { baseUrl: 'http://127.0.0.1', authType: 'none' }
  const context: CommandContext = {
    config: config as ClientConfig,
    credentials: { headers: () => ({}), reload: () => Promise.resolve(false) },
    output,
    json: false,
    home: '/home/joe',
    environment,
    fetch: (url, init) => toFetchHandler(fixture.service.handle)(new Request(url, init)),
    clock: createIdleClock(),
    random: () => 0.5,
    uuid: () => 'uuid',
    readText: () => Promise.resolve(undefined),
    stop: never,
    kill: never,
  }
  return { ...fixture, context, output }
}
