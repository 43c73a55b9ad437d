/**
 * Maintenance of etcd through its JSON gateway: each member is asked at its own address.
 *
 * Only configured addresses are called, never those that members advertise: they may not be reachable from here, and a store
 * must not say where we connect to.
 *
 * @see https://etcd.io/docs/v3.5/op-guide/maintenance/
 * @module
 */

import { isJsonRecord } from '#shared/json/record.ts'
import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Clock } from '#shared/time/clock.ts'
import type { Logger } from '#shared/logger.ts'
import type { FetchLike } from '#shared/runtime/fetch_like.ts'
import { createCaller, type Caller } from './call.ts'
import { createHttpTransport } from './http.ts'
import type { GatewayAuth } from './login.ts'
import { STATUS_PATH } from './members.ts'
import { decodeInteger, type WireObject } from './wire.ts'
import type { StoreMaintenance, StoreMember } from '../maintenance.ts'
import type { CallOptions } from '../store.ts'

/** etcd answers questions about members and alarms from memory, unless there is no leader. */
const READ_LIMIT_MS = 5_000
/** At 12 ms for each MB in use, etcd's largest advised database (8 GiB) takes 100 s. */
const DEFRAGMENT_LIMIT_MS = 300_000

/** Options of the maintenance, which are those of the store. */
export interface GatewayMaintenanceParts {
  readonly endpoints: readonly string[]
  readonly fetch: FetchLike
  readonly clock: Clock
  readonly random: () => string
  readonly logger: Logger
  readonly auth?: GatewayAuth | undefined
}

/** A member in the answer of `/v3/cluster/member/list`. */
interface ListedMember {
  readonly id: string
  readonly name: string
}

/** Makes the maintenance of an etcd cluster. Nothing is asked before the first call. */
export function createGatewayMaintenance(parts: GatewayMaintenanceParts): StoreMaintenance {
  const transport = createHttpTransport({ ...parts, watchFetch: parts.fetch })
  // One caller each, so that a call never goes to another member instead.
  const callers = parts.endpoints.map((url) => createCaller({ ...parts, transport, endpoints: [url] }))
  const everyMember = createCaller({ ...parts, transport })
  const read = (
    caller: Caller,
    path: string,
    message: object,
    options: CallOptions = {},
  ): Promise<WireObject> =>
    caller.call({ path, message, writes: false, limitMs: READ_LIMIT_MS, signal: options.signal })

  /** The member at each configured address, where it answers. */
  async function statuses(options?: CallOptions): Promise<readonly (WireObject | undefined)[]> {
    return Promise.all(
      callers.map((caller) =>
        read(caller, STATUS_PATH, {}, options).catch((error: unknown) => {
          if (isAvisoError(error, 'ERR_STORE_UNAVAILABLE', 'ERR_OUTCOME_UNKNOWN')) return undefined
          throw error
        }),
      ),
    )
  }
  async function listed(options?: CallOptions): Promise<readonly ListedMember[]> {
    const { members } = await read(everyMember, '/v3/cluster/member/list', {}, options)
    return recordsIn(members).map((member) => ({
      id: idIn(member['ID']),
      name: typeof member['name'] === 'string' ? member['name'] : '',
    }))
  }
  return {
    members: async (options) => {
      const [members, answers] = await Promise.all([listed(options), statuses(options)])
      return members.map((member) =>
        toMember(
          member,
          answers.find((answer) => answer !== undefined && memberIdOf(answer) === member.id),
        ),
      )
    },
    defragment: async (memberId, options) => {
      const index = (await statuses(options)).findIndex(
        (answer) => answer !== undefined && memberIdOf(answer) === memberId,
      )
      const caller = callers[index]
      if (caller === undefined) throw unreachable(memberId)
      await caller.call({
        path: '/v3/maintenance/defragment',
        message: {},
        // To do this twice is harmless.
        writes: false,
        limitMs: DEFRAGMENT_LIMIT_MS,
        signal: options?.signal,
      })
    },
    alarms: async (options) => {
      const { alarms } = await read(everyMember, '/v3/maintenance/alarm', { action: 'GET' }, options)
      return recordsIn(alarms).map((alarm) => ({
        memberId: idIn(alarm['memberID']),
        kind: typeof alarm['alarm'] === 'string' ? alarm['alarm'] : 'NONE',
      }))
    },
    disarm: async ({ memberId, kind }, options) => {
      // Without the member's id etcd answers 200 and does nothing.
      const message = { action: 'DEACTIVATE', memberID: memberId, alarm: kind }
      await read(everyMember, '/v3/maintenance/alarm', message, options)
    },
  }
}

function toMember({ id, name }: ListedMember, answer: WireObject | undefined): StoreMember {
  if (answer === undefined)
    return { id, name, isReachable: false, isLeader: false, sizeBytes: 0, sizeInUseBytes: 0 }
  return {
    id,
    name,
    isReachable: true,
    isLeader: answer['leader'] !== undefined && idIn(answer['leader']) === id,
    version: `etcd ${typeof answer['version'] === 'string' ? answer['version'] : 'unknown'}`,
    revision: decodeInteger(headerOf(answer)['revision']),
    sizeBytes: Number(decodeInteger(answer['dbSize'])),
    sizeInUseBytes: Number(decodeInteger(answer['dbSizeInUse'])),
  }
}

function memberIdOf(answer: WireObject): string {
  return idIn(headerOf(answer)['member_id'])
}

function headerOf(answer: WireObject): WireObject {
  return recordsIn([answer['header']])[0] ?? {}
}

function recordsIn(value: unknown): readonly WireObject[] {
  return Array.isArray(value) ? value.filter(isJsonRecord) : []
}

/** Ids are uint64: decimal text. */
function idIn(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function unreachable(memberId: string): AvisoError {
  return new AvisoError(
    'ERR_STORE_UNAVAILABLE',
    `The member ${memberId} answers at none of the configured addresses: name all members in the store's address`,
  )
}
