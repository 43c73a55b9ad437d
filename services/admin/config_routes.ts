/**
 * Configuration management over HTTP, under `/api/v1/admin/config`: what `aviso-config` of 1.x does.
 *
 * @module
 */

import { AvisoError, isAvisoError } from '#shared/errors.ts'
import type { Answer } from '#shared/handler.ts'
import { readQuery } from '#shared/http/query.ts'
import type { JsonObject, JsonValue } from '#shared/json/strict_json.ts'
import { isJsonObject } from '#shared/json/strict_json.ts'
import { MAX_FILES, MAX_FILE_BYTES, checkServiceName, whyNoPath } from '#shared/service_files/layout.ts'
import { listService, readFile } from '#shared/service_files/read_service.ts'
import { isSchemaPath, schemasOfFiles, type CompileSchemas } from '#shared/service_files/schema_files.ts'
import { parseServiceStatus } from '#shared/service_files/service_status.ts'
import { decodeBase64 } from '#shared/bytes/base64.ts'
import type { Store } from '#shared/store/store.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import type { Clock } from '#shared/time/clock.ts'
import { flagIn, succeeded, textIn, type AdminRequest, type AdminRoute } from './admin_route.ts'
import { pushFiles, removeFiles, revertFiles, type ServiceChange } from './config_store.ts'

const PATH = '/api/v1/admin/config'
/** Enough for a push of 16 of the largest files, as base64. */
const PUSH_BYTES = 24 * 1024 * 1024
/** Most characters of a push's message and of names. */
const MAX_TEXT = 512

export interface ConfigRoutesParts {
  readonly store: Store
  readonly clock: Clock
  /** The service whose schema our own services read from the store. A push to it must be a valid schema. */
  readonly schemaService: string | undefined
  /** @throws {AvisoError} `ERR_CONFIG` for schemas that the services cannot run with. */
  readonly checkSchemas: (schemas: Schemas) => void
  /** Makes the schemas of our own services. Default: nothing is added to what the files say. */
  readonly compileSchemas?: CompileSchemas | undefined
  readonly version: string
}

/** The routes of configuration management. */
export function configRoutes(parts: ConfigRoutesParts): readonly AdminRoute[] {
  const { store } = parts
  return [
    {
      method: 'GET',
      path: PATH,
      doc: 'serviceFiles',
      handle: async (request) => succeeded(request, await show(store, serviceIn(queryOf(request)))),
    },
    {
      method: 'GET',
      path: `${PATH}/file`,
      doc: 'serviceFile',
      offers: ['application/octet-stream'],
      handle: (request) => download(store, request),
    },
    {
      method: 'POST',
      path: `${PATH}/push`,
      doc: 'pushFiles',
      limitBytes: PUSH_BYTES,
      members: ['service', 'message', 'delete', 'files', 'unix_user', 'hostname'],
      handle: async (request) => succeeded(request, await push(parts, request)),
    },
    {
      method: 'POST',
      path: `${PATH}/remove`,
      doc: 'removeFiles',
      members: ['service', 'doit'],
      handle: async (request) => {
        const { body } = request
        const service = checkServiceName(textIn(body, 'service'))
        return succeeded(request, await remove(store, service, flagIn(body, 'doit')))
      },
    },
    {
      method: 'POST',
      path: `${PATH}/revert`,
      doc: 'revertFiles',
      members: ['service'],
      handle: async (request) => {
        const service = checkServiceName(textIn(request.body, 'service'))
        return succeeded(request, changed('Revert', service, await revertFiles(store, service)))
      },
    },
  ]
}

async function show(store: Store, service: string): Promise<Readonly<Record<string, unknown>>> {
  const { status, files, revision } = await listService(store, service)
  if (status === undefined && files.size === 0)
    throw new AvisoError('ERR_NOT_FOUND', `No service ${service} found`)
  return {
    service,
    revision: revision.toString(),
    status: status === undefined ? null : { ...parseServiceStatus(status), version: Number(status.version) },
    files: [...files].map(([path, kv]) => ({
      path,
      version: Number(kv.version),
      revision: kv.modRevision.toString(),
    })),
  }
}

async function download(store: Store, request: AdminRequest): Promise<Answer> {
  const query = queryOf(request)
  const service = serviceIn(query)
  const path = checkPath(query.get('path') ?? '')
  const at = query.get('revision')
  if (at !== null && !/^[1-9]\d{0,18}$/.test(at))
    throw new AvisoError('ERR_BAD_REQUEST', 'The revision must be a positive whole number', {
      details: { field: 'revision' },
    })
  const kv = await readFile(store, { service, path, ...(at !== null && { at: BigInt(at) }) })
  if (kv === undefined) throw new AvisoError('ERR_NOT_FOUND', `Service ${service} has no file ${path}`)
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': request.requestId,
    },
    body: kv.value,
  }
}

async function push(
  { store, clock, schemaService, checkSchemas, compileSchemas, version }: ConfigRoutesParts,
  { body, who }: AdminRequest,
): Promise<Readonly<Record<string, unknown>>> {
  const service = checkServiceName(textIn(body, 'service'))
  const files = filesIn(body['files'])
  const deleteOthers = flagIn(body, 'delete')
  if (service === schemaService)
    await requireUsableSchema(store, { service, files, deleteOthers, checkSchemas, compileSchemas })
  const change = await pushFiles(store, {
    service,
    files,
    deleteOthers,
    status: {
      message: shortText(body, 'message'),
      user: who.name === 'anonymous' ? null : who.name,
      unixUser: 'unix_user' in body ? shortText(body, 'unix_user') : who.name,
      hostname: 'hostname' in body ? shortText(body, 'hostname') : 'unknown',
      version,
      now: clock.now(),
    },
  })
  return changed('Push', service, change)
}

async function remove(
  store: Store,
  service: string,
  doIt: boolean,
): Promise<Readonly<Record<string, unknown>>> {
  if (doIt) return changed('Remove', service, await removeFiles(store, service))
  const { files, status } = await listService(store, service)
  if (status === undefined && files.size === 0)
    throw new AvisoError('ERR_NOT_FOUND', `No files found for service ${service}`)
  return { message: 'Nothing was removed', service, files: [...files.keys()], dry_run: true }
}

function changed(
  what: string,
  service: string,
  { written, deleted, revision }: ServiceChange,
): Readonly<Record<string, unknown>> {
  return {
    message: `${what} operation for service ${service} successfully executed`,
    files: written,
    deleted,
    revision: revision.toString(),
  }
}

/** Checks that our own services would read a valid schema after the push. */
async function requireUsableSchema(
  store: Store,
  {
    service,
    files,
    deleteOthers,
    checkSchemas,
    compileSchemas,
  }: Pick<ConfigRoutesParts, 'checkSchemas' | 'compileSchemas'> & {
    readonly service: string
    readonly files: ReadonlyMap<string, Uint8Array>
    readonly deleteOthers: boolean
  },
): Promise<void> {
  const contents = new Map<string, Uint8Array>()
  if (!deleteOthers) {
    const { files: present } = await listService(store, service)
    for (const path of [...present.keys()].filter(isSchemaPath)) {
      const kv = await readFile(store, { service, path })
      if (kv !== undefined) contents.set(path, kv.value)
    }
  }
  for (const [path, content] of files) if (isSchemaPath(path)) contents.set(path, content)
  try {
    const schemas = schemasOfFiles(contents, compileSchemas)
    if (schemas !== undefined) checkSchemas(schemas)
  } catch (error) {
    if (!isAvisoError(error, 'ERR_CONFIG')) throw error
    throw new AvisoError(
      'ERR_BAD_REQUEST',
      `The services could not use this schema, so nothing was pushed. ${error.message}`,
      { cause: error },
    )
  }
}

function filesIn(value: JsonValue | undefined): ReadonlyMap<string, Uint8Array> {
  if (!Array.isArray(value) || value.length === 0)
    throw new AvisoError(
      'ERR_BAD_REQUEST',
      'No file found to push: files must be a list of { path, content }',
      { details: { field: 'files' } },
    )
  if (value.length > MAX_FILES)
    throw new AvisoError('ERR_TOO_LARGE', `A push takes ${MAX_FILES} files at most`)
  const files = new Map<string, Uint8Array>()
  for (const entry of value as readonly JsonValue[]) {
    const { path, content } = isJsonObject(entry) ? entry : {}
    const bytes = typeof content === 'string' ? decodeBase64(content) : undefined
    if (typeof path !== 'string' || bytes === undefined)
      throw new AvisoError('ERR_BAD_REQUEST', 'A file is { path, content }, the content as base64', {
        details: { field: 'files' },
      })
    if (bytes.length > MAX_FILE_BYTES)
      throw new AvisoError(
        'ERR_TOO_LARGE',
        `${path.slice(0, MAX_TEXT)} is larger than ${MAX_FILE_BYTES} bytes`,
      )
    // A 1.x client exits for good when a value is missing, and an empty value arrives as a missing one.
    if (bytes.length === 0)
      throw new AvisoError(
        'ERR_BAD_REQUEST',
        `${path.slice(0, MAX_TEXT)} is empty: clients of aviso 1.x cannot read an empty file`,
      )
    if (files.has(checkPath(path)))
      throw new AvisoError('ERR_BAD_REQUEST', `The path ${path} occurs twice`, {
        details: { field: 'files' },
      })
    files.set(path, bytes)
  }
  return files
}

function checkPath(path: string): string {
  const reason = whyNoPath(path)
  if (reason === undefined) return path
  throw new AvisoError(
    'ERR_BAD_REQUEST',
    `"${path.slice(0, MAX_TEXT)}" cannot be the path of a file: ${reason}`,
    { details: { field: 'path' } },
  )
}

function shortText(body: JsonObject, name: string): string {
  const text = textIn(body, name)
  if (text.length <= MAX_TEXT && text.isWellFormed()) return text
  throw new AvisoError(
    'ERR_BAD_REQUEST',
    `The option ${name} must not be longer than ${MAX_TEXT} characters`,
    { details: { field: name } },
  )
}

function queryOf({ request }: AdminRequest): URLSearchParams {
  return readQuery(request.url)
}

function serviceIn(query: URLSearchParams): string {
  return checkServiceName(query.get('service') ?? '')
}
