/**
 * The command `aviso config`: manages the configuration files of services, as pyaviso's `aviso-config` does.
 *
 * @module
 */

import { readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { toPythonJsonSorted } from '#shared/notification/python_json.ts'
import { MAX_FILE_BYTES, whyNoPath } from '#shared/service_files/layout.ts'
import { encodeBase64 } from '#shared/bytes/base64.ts'
import { ClientError, messageOf, reasonOf } from '#shared/client/client_error.ts'
import { makeFolder } from '#shared/runtime/make_folder.ts'
import { runWithin } from '#shared/time/deadline.ts'
import { readAnswer } from '#shared/client/connection.ts'
import { printAnswer } from './answer.ts'
import { showConfig } from './config_show.ts'
import type { CommandContext } from './context.ts'

/** The task that the command line names. */
export type ConfigTask =
  | {
      readonly kind: 'push'
      readonly service: string
      readonly folder: string
      readonly message: string
      readonly deleteOthers: boolean
    }
  | {
      readonly kind: 'pull'
      readonly service: string
      readonly folder: string
      readonly deleteOthers: boolean
    }
  | { readonly kind: 'remove'; readonly service: string; readonly doIt: boolean }
  | { readonly kind: 'revert'; readonly service: string }
  | { readonly kind: 'status'; readonly service: string }
  /** Shows the client's own settings. */
  | { readonly kind: 'show' }

/** What the user's umask leaves of it. */
const NEW_FOLDER_MODE = 0o777
const PATH = '/api/v1/admin/config'
/** 1.x's default of `max_file_size`: 500 KiB. */
const DEFAULT_MAX_FILE_KIB = '500'

/** Runs the task. Results go to stdout. Messages that 1.x prints on stderr go there, too. */
export async function manageConfig(task: ConfigTask, context: CommandContext): Promise<void> {
  switch (task.kind) {
    case 'show':
      return showConfig(context.config, context)
    case 'push':
      return push(task, context)
    case 'pull':
      return pull(task, context)
    case 'remove':
      return remove(task, context)
    case 'revert': {
      const answer = await ask(context, {
        method: 'POST',
        path: `${PATH}/revert`,
        body: { service: task.service },
      })
      return sayResult(context, task.service, answer.found ? answer.body : nothingFound(task.service))
    }
    case 'status': {
      const { found, body } = await show(context, task.service)
      if (!found) {
        if (context.json) context.output.result('null')
        return context.output.log('WARNING', `No service ${task.service} found`)
      }
      return printAnswer({ text: toPythonJsonSorted(body['status'], 4), json: body['status'] }, context)
    }
  }
}

async function push(
  { service, folder, message, deleteOthers }: Extract<ConfigTask, { kind: 'push' }>,
  context: CommandContext,
): Promise<void> {
  const files = await filesToPush(folder, context)
  if (files.length === 0) {
    printFiles(service, [], context)
    return context.output.log('WARNING', `No file found to push for service ${service}`)
  }
  const body = { service, message, delete: deleteOthers, files, unix_user: userName(), hostname: hostname() }
  const answer = await ask(context, { method: 'POST', path: `${PATH}/push`, body })
  printFiles(
    service,
    files.map(({ path }) => path),
    context,
  )
  say(context, answer.body)
}

async function filesToPush(
  folder: string,
  { output, environment }: CommandContext,
): Promise<{ readonly path: string; readonly content: string }[]> {
  const maxKib = Number(environment['AVISO_MAX_FILE_SIZE'] ?? DEFAULT_MAX_FILE_KIB)
  if (!Number.isFinite(maxKib) || maxKib <= 0)
    throw new ClientError('AVISO_MAX_FILE_SIZE must be a number of KiB')
  const maxBytes = Math.min(maxKib * 1024, MAX_FILE_BYTES)
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw new ClientError(`Cannot read the folder ${folder}: ${messageOf(cause)}`, { cause })
  })
  const files: { path: string; content: string }[] = []
  for (const entry of entries.filter((each) => each.isFile())) {
    const name = join(entry.parentPath, entry.name)
    const path = relative(folder, name).split(sep).join('/')
    const { size } = await stat(name)
    if (size > maxBytes) output.log('WARNING', `File ${path} is larger than ${maxBytes} bytes, skipped`)
    else if (size === 0)
      output.log('WARNING', `File ${path} is empty, skipped: clients of aviso 1.x cannot read it`)
    else files.push({ path, content: encodeBase64(await readFile(name)) })
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

async function pull(
  { service, folder, deleteOthers }: Extract<ConfigTask, { kind: 'pull' }>,
  context: CommandContext,
): Promise<void> {
  const { found, body } = await show(context, service)
  const paths = found ? pathsIn(body) : []
  if (paths.length === 0) {
    printFiles(service, [], context)
    return context.output.log('WARNING', `No files found for service ${service}`)
  }
  // All files are downloaded before the folder is changed, so that it never holds half a configuration.
  const contents: { readonly path: string; readonly content: Uint8Array }[] = []
  for (const path of paths)
    contents.push({
      path,
      content: await download(context, { service, path, revision: String(body['revision']) }),
    })
  if (deleteOthers) await removeOthers(folder, new Set(paths))
  for (const { path, content } of contents) {
    await replaceFile(join(folder, path), content)
  }
  printFiles(service, paths, context)
  context.output.log('INFO', `Pull operation for service ${service} successfully executed`)
}

/** The paths that the service lists. They are checked, because a path must not lead out of the folder. */
function pathsIn(body: Readonly<Record<string, unknown>>): readonly string[] {
  const files: unknown = body['files']
  if (!Array.isArray(files)) return []
  return files.map((file: unknown) => {
    const path: unknown = typeof file === 'object' && file !== null && 'path' in file ? file.path : undefined
    const reason = typeof path === 'string' ? whyNoPath(path) : 'it is not a text'
    if (typeof path !== 'string' || reason !== undefined)
      throw new ClientError(`The service names a file that cannot be written here: ${reason ?? ''}`)
    return path
  })
}

async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((each) => !each.isDirectory())) {
    const name = join(entry.parentPath, entry.name)
    if (!kept.has(relative(folder, name).split(sep).join('/'))) await rm(name)
  }
}

/** Replaces a file. The content is written to another file, which is then renamed, so that a reader never sees half a file. */
async function replaceFile(name: string, content: Uint8Array): Promise<void> {
  try {
    makeFolder(dirname(name), NEW_FOLDER_MODE)
    await writeFile(`${name}.tmp`, content)
    await rename(`${name}.tmp`, name)
  } catch (cause) {
    throw new ClientError(`Cannot write ${resolve(name)}: ${messageOf(cause)}`, { cause })
  }
}

async function remove(
  { service, doIt }: Extract<ConfigTask, { kind: 'remove' }>,
  context: CommandContext,
): Promise<void> {
  const { found, body } = await ask(context, {
    method: 'POST',
    path: `${PATH}/remove`,
    body: { service, doit: doIt },
  })
  if (!found) return sayResult(context, service, nothingFound(service))
  if (doIt) return sayResult(context, service, body)
  printFiles(service, pathsIn({ files: asList(body['files']).map((path) => ({ path })) }), context)
  context.output.log('INFO', 'remove --doit to delete these files')
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function nothingFound(service: string): Readonly<Record<string, unknown>> {
  return { message: `No files found for service ${service}` }
}

function show(context: CommandContext, service: string): Promise<Found> {
  return ask(context, { method: 'GET', path: `${PATH}?${new URLSearchParams({ service })}` })
}

interface Found {
  /** Whether the service was found. A 404 is an answer, not a failure. */
  readonly found: boolean
  readonly body: Readonly<Record<string, unknown>>
}

interface Question {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
}

function ask(context: CommandContext, question: Question): Promise<Found> {
  return exchange(context, question, async (response) => {
    const body = await readAnswer(response)
    if (response.status === 404 && body['success'] === false) return { found: false, body }
    if (response.status !== 200) throw failure(response.status, body)
    return { found: true, body }
  })
}

function download(
  context: CommandContext,
  file: { readonly service: string; readonly path: string; readonly revision: string },
): Promise<Uint8Array> {
  const path = `${PATH}/file?${new URLSearchParams(file)}`
  return exchange(context, { method: 'GET', path }, async (response) => {
    if (response.status !== 200) throw failure(response.status, await readAnswer(response))
    return new Uint8Array(await response.arrayBuffer())
  })
}

/** Asks the service and reads its answer, within the time limit. */
async function exchange<Answer>(
  { config, credentials, fetch, clock, stop }: CommandContext,
  question: Question,
  read: (response: Response) => Promise<Answer>,
): Promise<Answer> {
  const askAndRead = async (signal: AbortSignal): Promise<Answer> => {
    const response = await fetch(config.baseUrl + question.path, {
      method: question.method,
      headers: { 'Content-Type': 'application/json', ...credentials.headers() },
      ...(question.body !== undefined && { body: JSON.stringify(question.body) }),
      signal,
    })
    return read(response)
  }
  const late = (): never => {
    throw new Error(stop.aborted ? 'the client was told to stop' : 'no answer in time')
  }
  try {
    return await runWithin(askAndRead, { clock, ms: config.timeoutMs, signal: stop, late })
  } catch (cause) {
    if (cause instanceof ClientError) throw cause
    throw new ClientError(`Unable to connect to ${config.baseUrl}: ${reasonOf(cause)}`, { cause })
  }
}

function failure(status: number, body: Readonly<Record<string, unknown>>): ClientError {
  const said = typeof body['message'] === 'string' ? body['message'] : 'no reason given'
  return new ClientError(`Not done, status ${status}: ${said}`)
}

/** A line for each file, or JSON with all of them. */
function printFiles(service: string, files: readonly string[], context: CommandContext): void {
  if (context.json) context.output.result(JSON.stringify({ service, files }))
  else for (const path of files) context.output.result(path)
}

/** {@link say}, which is all that there is to tell: programs get it as their result. */
function sayResult(context: CommandContext, service: string, body: Readonly<Record<string, unknown>>): void {
  if (context.json) context.output.result(JSON.stringify({ service, message: body['message'] ?? 'Done' }))
  say(context, body)
}

function say({ output }: CommandContext, body: Readonly<Record<string, unknown>>): void {
  output.log('INFO', typeof body['message'] === 'string' ? body['message'] : 'Done')
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return 'unknown'
  }
}
