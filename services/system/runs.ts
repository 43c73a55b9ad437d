/**
 * What `vars.runs` adds to a system besides the service of runs: the event type `run`, and who may see which of its notifications.
 *
 * @module
 */

import type { Config } from './settings.ts'
import {
  createRunSchema,
  refuseOwnRuns,
  runFieldProblems,
  RUN_EVENT,
  RUNS_PATH,
  withShortRequests,
  type RunFields,
} from '#services/runs/run_schema.ts'
import type { Following } from '#shared/access/policy/following.ts'
import { AvisoError } from '#shared/errors.ts'
import { isJsonRecord, type JsonRecord } from '#shared/json/record.ts'
import { isSchema2 } from '#shared/notification/aviso2/schema_file.ts'
import type { KeyFormat } from '#shared/notification/key_format.ts'
import { flawLine } from '#shared/config/explain.ts'
import { refuseProblems } from '#shared/config/load.ts'
import { createSchemas, type SchemaFile, type Schemas } from '#shared/notification/schema.ts'
import type { Expectation } from '#shared/runs/expectation.ts'
import { compileExpectations } from '#shared/runs/parse_expectations.ts'

type Vars = Pick<Config['vars'], 'runs'>

/**
 * The event types of schema files, and `run` where runs are configured.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link createSchemas}, and where a file has an event type `run` too.
 */
export function createConfiguredSchemas(files: readonly SchemaFile[], vars: Vars): Schemas {
  const schemas = createSchemas(files)
  if (vars.runs === undefined) return schemas
  refuseOwnRuns(schemas)
  const fields = runFieldsOf(vars, schemas)
  const { file, following } = createRunSchema(schemas, fields)
  return following.roots.length === 0 ? schemas : withShortRequests(createSchemas([...files, file]), fields)
}

/**
 * The same for schema files in the store. They count only if all of `vars.runs` can be followed with them. What they say of event type `run`
 * is for clients of 1.x, which read it there: it must have the keys that ours has.
 *
 * @throws {AvisoError} `ERR_CONFIG` as {@link createConfiguredSchemas}, and that lists what of `vars.runs` they lack.
 */
export function createStoredSchemas(files: readonly SchemaFile[], vars: Vars): Schemas {
  if (vars.runs === undefined) return createSchemas(files)
  const others = files.map(withoutRuns)
  const { problems } = followable(createSchemas(others), vars)
  const source = `Schema ${files.map((file) => file.source).join(', ')}`
  if (problems.length > 0) {
    const lines = problems.map((line) => `\n  ${line}`).join('')
    const remedy = `Give the schema what is missing, or change ${RUNS_PATH}:${lines}`
    throw new AvisoError('ERR_CONFIG', `${source}: it does not fit ${RUNS_PATH}. ${remedy}`)
  }
  const schemas = createConfiguredSchemas(others, vars)
  refuseOtherKeys(files, schemas, source)
  return schemas
}

function withoutRuns({ source, content }: SchemaFile): SchemaFile {
  const { [RUN_EVENT]: _own, ...others } = content1xOf(content) ?? {}
  return { source, content: runEventOf(content) === undefined ? content : others }
}

function runEventOf(content: unknown): unknown {
  return content1xOf(content)?.[RUN_EVENT]
}

function content1xOf(content: unknown): JsonRecord | undefined {
  const is2x: boolean = isSchema2(content)
  return !is2x && isJsonRecord(content) ? content : undefined
}

/** A client of 1.x listens to keys that it makes itself: with others it would never be told anything. */
function refuseOtherKeys(files: readonly SchemaFile[], schemas: Schemas, source: string): void {
  const given = files
    .map((file) => ({ source: file.source, event: runEventOf(file.content) }))
    .filter(({ event }) => event !== undefined)
    .map((file) => ({ source: file.source, content: { [RUN_EVENT]: file.event } }))
  const ours = schemas.get(RUN_EVENT)?.formats.key
  if (given.length === 0 || ours === undefined) return
  const theirs = createSchemas(given).require(RUN_EVENT).formats.key
  if (writtenFormat(theirs) === writtenFormat(ours)) return
  throw new AvisoError(
    'ERR_CONFIG',
    `${source}: its event type "${RUN_EVENT}" has the keys ${writtenFormat(theirs)}, and those of ${RUNS_PATH} are ${writtenFormat(ours)}: write base and stem so, or leave "${RUN_EVENT}" out`,
  )
}

function writtenFormat({ literals, fields }: KeyFormat): string {
  return literals.map((text, index) => text + (index < fields.length ? `{${fields[index]}}` : '')).join('')
}

/** Whose rights the notifications of runs follow; `undefined` where there are none. */
export function followingOf(schemas: Schemas, vars: Vars): Following | undefined {
  return vars.runs === undefined ? undefined : createRunSchema(schemas, runFieldsOf(vars, schemas)).following
}

/**
 * What is expected of the runs of each event type.
 *
 * @throws {AvisoError} `ERR_CONFIG` that lists everything that is wrong.
 */
export function expectationsOf(schemas: Schemas, vars: Vars): ReadonlyMap<string, Expectation> {
  refuseProblems(RUNS_PATH, runProblems(schemas, vars))
  return compileExpectations(vars.runs ?? {}, schemas).expectations
}

/** @returns what is wrong with `vars.runs`, each with its place */
export function runProblems(schemas: Schemas, vars: Vars): readonly string[] {
  return followable(schemas, vars).problems
}

/** The expectations of `vars.runs` that are right for these schemas, and what is wrong with the others. */
export function followable(
  schemas: Schemas,
  vars: Vars,
): { readonly expectations: ReadonlyMap<string, Expectation>; readonly problems: readonly string[] } {
  const { flaws, expectations } = compileExpectations(vars.runs ?? {}, schemas)
  const lines = flaws.map(({ path, reason }) => flawLine({ path: ['vars', 'runs', ...path], reason }))
  return { expectations, problems: [...lines, ...runFieldProblems(runFieldsOf(vars, schemas))] }
}

/** @returns what is wrong with `vars.runs` whatever the schema has. */
export function ownRunProblems({ runs = {} }: Vars): readonly string[] {
  const written = Object.entries(runs)
    .filter(([, setting]) => setting !== false)
    .map(([event, setting]) => [event, typeof setting === 'boolean' ? [] : setting.run] as const)
  return runFieldProblems(new Map(written))
}

/** Event types that no provider may publish, each with the reason. */
export function reservedEvents({ runs }: Vars): ReadonlyMap<string, string> {
  if (runs === undefined) return new Map()
  const reason = `The event type "${RUN_EVENT}" is published by this service alone, from the notifications of the products`
  return new Map([[RUN_EVENT, reason]])
}

/** Those whose expectation is right. */
function runFieldsOf({ runs = {} }: Vars, schemas: Schemas): RunFields {
  const { expectations } = compileExpectations(runs, schemas)
  return new Map([...expectations].map(([event, { run }]) => [event, run]))
}
