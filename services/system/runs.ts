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
  const { flaws } = compileExpectations(vars.runs ?? {}, schemas)
  return [
    ...flaws.map(({ path, reason }) => flawLine({ path: ['vars', 'runs', ...path], reason })),
    ...runFieldProblems(runFieldsOf(vars, schemas)),
  ]
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
