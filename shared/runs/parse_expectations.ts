/**
 * Reads `vars.runs` into expectations, or says what is wrong with it and where.
 *
 * @module
 */

import * as v from 'valibot'

import { hint } from '#shared/closest.ts'
import { explain, flawLine, type Flaw } from '#shared/config/explain.ts'
import { AvisoError } from '#shared/errors.ts'
import type { Schemas } from '#shared/notification/schema.ts'

import {
  productKey,
  type Expectation,
  type Expected,
  type ExpectedGroup,
  type Nominal,
} from './expectation.ts'
import {
  expectationShape,
  runsShape,
  type ExpectationSettings,
  type RunsSettings,
  type WrittenGroup,
  type WrittenValues,
} from './expectation_shape.ts'
import { createRunField, type RunField } from './field_values.ts'
import { MAX_LISTED } from './ranges.ts'
import { SHIPPED } from './shipped.ts'

/** Most runs of an event type that are to come each day. */
const MAX_EVERY = 1_000
/** What a group has besides fields. */
const GROUP_KEYS: readonly string[] = ['where', 'due']
const DEFAULT_USUAL = { runs: 7, quorum: 0.6 }

/** What was made of settings, and what is wrong with them. */
export interface CompiledExpectations {
  readonly expectations: ReadonlyMap<string, Expectation>
  /** Paths begin with the event type. */
  readonly flaws: readonly Flaw[]
}

/**
 * Reads `vars.runs` as it stands in a file.
 *
 * @param source Where it stands, for messages, such as `vars.runs`.
 * @returns event type → expectation
 * @throws {AvisoError} `ERR_CONFIG` that lists everything that is wrong.
 */
export function parseExpectations(
  written: unknown,
  schemas: Schemas,
  source: string,
): ReadonlyMap<string, Expectation> {
  const result = v.safeParse(runsShape, written)
  if (!result.success) throw refusal(source, explain(result.issues))
  const { expectations, flaws } = compileExpectations(result.output, schemas)
  if (flaws.length > 0) throw refusal(source, flaws)
  return expectations
}

/** Compiles settings whose shape is right already. */
export function compileExpectations(settings: RunsSettings, schemas: Schemas): CompiledExpectations {
  const expectations = new Map<string, Expectation>()
  const flaws: Flaw[] = []
  for (const [event, setting] of Object.entries(settings)) {
    if (setting === false) continue
    const report = (path: readonly string[], reason: string): void => {
      flaws.push({ path: [event, ...path], reason })
    }
    const before = flaws.length
    const expectation = compileEvent(event, { setting, schemas, report })
    if (expectation !== undefined && flaws.length === before) expectations.set(event, expectation)
  }
  return { expectations, flaws }
}

function refusal(source: string, flaws: readonly Flaw[]): AvisoError {
  const lines = flaws.map(flawLine)
  const list = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  ${line}`).join('')
  return new AvisoError('ERR_CONFIG', `${source}:${list}`)
}

type Report = (path: readonly string[], reason: string) => void

function compileEvent(
  event: string,
  {
    setting,
    schemas,
    report,
  }: {
    readonly setting: true | ExpectationSettings
    readonly schemas: Schemas
    readonly report: Report
  },
): Expectation | undefined {
  const schema = schemas.events.includes(event) ? schemas.get(event) : undefined
  if (schema === undefined) {
    report([], `there is no event type "${event}": ${hint(event, schemas.events)}`)
    return undefined
  }
  if (setting === true && !SHIPPED.has(event)) {
    report([], `true stands for an expectation that is shipped: ${hint(event, SHIPPED.keys())}`)
    return undefined
  }
  const settings = setting === true ? v.parse(expectationShape, SHIPPED.get(event)) : setting
  const fields = new Map<string, RunField>()
  for (const name of schema.fields) {
    const field = createRunField(schema, name)
    if (field !== undefined) fields.set(name, field)
  }
  return compileFields(event, { settings, fields, report })
}

interface Compiler {
  readonly settings: ExpectationSettings
  readonly fields: ReadonlyMap<string, RunField>
  readonly report: Report
}

function compileFields(event: string, compiler: Compiler): Expectation | undefined {
  const { settings, report } = compiler
  checkNames('run', settings.run, compiler)
  checkNames('product', settings.product, compiler)
  for (const [index, name] of settings.product.entries()) {
    if (settings.run.includes(name))
      report(['product', String(index)], `"${name}" names a run already: a field cannot do both`)
  }
  const nominal = compileNominal(compiler)
  const { expected, usual } = compileExpected(compiler)
  if (nominal === undefined && needsNominal(settings))
    report(
      ['nominal'],
      'what is usual, what is due and what comes every day need a nominal date: name its field',
    )
  if (settings.due !== 'usual' && settings.due > settings.close)
    report(['due'], 'it is after the time at which a run is closed')
  const every = compileEvery(compiler, nominal)
  const { run, product, due, close } = settings
  return { event, run, product, nominal, expected, usual, due, close, every }
}

function needsNominal({ expect, due, every }: ExpectationSettings): boolean {
  const isUsual = expect === 'usual' || (!Array.isArray(expect) && expect.count === undefined)
  const hasDue = Array.isArray(expect) && expect.some((group) => group.due !== undefined)
  return isUsual || due !== 'usual' || hasDue || every !== undefined
}

function checkNames(part: 'run' | 'product', names: readonly string[], { fields, report }: Compiler): void {
  for (const [index, name] of names.entries()) {
    if (!fields.has(name)) report([part, String(index)], unknown(name, fields.keys()))
    else if (names.indexOf(name) < index) report([part, String(index)], `"${name}" stands there twice`)
  }
}

function unknown(name: string, known: Iterable<string>): string {
  return `there is no field "${name}": ${hint(name, known)}`
}

function compileNominal({ settings, fields, report }: Compiler): Nominal | undefined {
  const given = settings.nominal
  const { date, time } = given ?? defaultNominal(settings, fields)
  if (date === undefined) return undefined
  for (const [part, name] of Object.entries({ date, time })) {
    if (name === undefined || settings.run.includes(name)) continue
    report(['nominal', part], `"${name}" does not name a run: ${hint(name, settings.run)}`)
    return undefined
  }
  const dates = fields.get(date)?.dates
  if (dates === undefined) {
    // A field that does not exist was told already.
    if (fields.has(date))
      report(['nominal', 'date'], `"${date}" has no days: it must be a DateHandler with year, month and day`)
    return undefined
  }
  return { date, time, readDate: (text) => dates.read(text), writeDate: (at) => dates.write(at) }
}

/** What most would write. */
function defaultNominal(
  { run }: ExpectationSettings,
  fields: ReadonlyMap<string, RunField>,
): { readonly date?: string | undefined; readonly time?: string | undefined } {
  if (!run.includes('date') || fields.get('date')?.dates === undefined) return {}
  return { date: 'date', time: run.includes('time') ? 'time' : undefined }
}

function compileExpected(compiler: Compiler): Pick<Expectation, 'expected' | 'usual'> {
  const { expect } = compiler.settings
  if (expect === 'usual') return { expected: { kind: 'usual' }, usual: DEFAULT_USUAL }
  if (Array.isArray(expect)) return { expected: compileGroups(expect, compiler), usual: DEFAULT_USUAL }
  const { count, usual = DEFAULT_USUAL } = expect
  return { expected: count === undefined ? { kind: 'usual' } : { kind: 'count', count }, usual }
}

function compileGroups(groups: readonly WrittenGroup[], compiler: Compiler): Expected {
  const compiled = groups.map((group, index) => compileGroup(group, ['expect', String(index)], compiler))
  return { kind: 'list', groups: compiled.filter((group) => group !== undefined) }
}

function compileGroup(
  { where = {}, due, ...written }: WrittenGroup,
  path: readonly string[],
  compiler: Compiler,
): ExpectedGroup | undefined {
  const { settings, report } = compiler
  const conditions = new Map<string, ReadonlySet<string>>()
  for (const [name, value] of Object.entries(where)) {
    const values = valuesOf(name, { value, path: [...path, 'where', name], among: settings.run }, compiler)
    if (values !== undefined) conditions.set(name, new Set(values))
  }
  const lists = new Map<string, readonly string[]>()
  for (const [name, value] of Object.entries(written)) {
    const among = [...settings.product, ...GROUP_KEYS]
    // The shape has a value for every name that is left.
    const values = valuesOf(name, { value: value as WrittenValues, path: [...path, name], among }, compiler)
    if (values !== undefined) lists.set(name, values)
  }
  const missing = settings.product.filter((name) => !(name in written) && compiler.fields.has(name))
  if (missing.length > 0)
    report(path, `it must list values of ${missing.join(' and ')}, which name a product`)
  if (due !== undefined && due !== 'usual' && due > settings.close)
    report([...path, 'due'], 'it is after the time at which a run is closed')
  const sizes = settings.product.map((name) => lists.get(name)?.length ?? 1)
  if (sizes.reduce((all, size) => all * size, 1) > MAX_LISTED) {
    report(path, `it lists more than ${MAX_LISTED} products`)
    return undefined
  }
  const products = combine(settings.product, lists).map((fields) => productKey(settings.product, fields))
  return { where: conditions, products, due: due ?? settings.due }
}

function valuesOf(
  name: string,
  { value, path, among }: { value: WrittenValues; path: readonly string[]; among: readonly string[] },
  { fields, report }: Compiler,
): readonly string[] | undefined {
  const field = among.includes(name) ? fields.get(name) : undefined
  if (field === undefined) {
    if (among.includes(name)) return undefined
    if (!fields.has(name)) report(path, unknown(name, among))
    // Perhaps it is right, and its name is mistyped where the fields are named, which was told.
    else if (among.every((each) => fields.has(each) || GROUP_KEYS.includes(each)))
      report(path, `"${name}" cannot stand here: ${hint(name, among)}`)
    return undefined
  }
  const listed = field.read(value)
  if ('values' in listed) return listed.values
  report(path, listed.reason)
  return undefined
}

function compileEvery(
  compiler: Compiler,
  nominal: Nominal | undefined,
): readonly Readonly<Record<string, string>>[] {
  const { settings, report } = compiler
  if (settings.every === undefined || nominal === undefined) return []
  const needed = settings.run.filter((name) => name !== nominal.date)
  const sets = Array.isArray(settings.every) ? settings.every : [settings.every]
  const all: Readonly<Record<string, string>>[] = []
  for (const [index, set] of sets.entries()) {
    const path = Array.isArray(settings.every) ? ['every', String(index)] : ['every']
    const lists = new Map<string, readonly string[]>()
    for (const [name, value] of Object.entries(set)) {
      const values = valuesOf(name, { value, path: [...path, name], among: needed }, compiler)
      if (values !== undefined) lists.set(name, values)
    }
    const missing = needed.filter((name) => !(name in set) && compiler.fields.has(name))
    if (missing.length > 0) report(path, `it must have values of ${missing.join(' and ')}, which name a run`)
    const size = needed.reduce((many, name) => many * (lists.get(name)?.length ?? 1), 1)
    if (all.length + size > MAX_EVERY) {
      report(path, `these are more than ${MAX_EVERY} runs a day`)
      return []
    }
    all.push(...combine(needed, lists))
  }
  return all
}

/** All combinations of values. */
function combine(
  names: readonly string[],
  lists: ReadonlyMap<string, readonly string[]>,
): readonly Readonly<Record<string, string>>[] {
  let combined: readonly Readonly<Record<string, string>>[] = [{}]
  for (const name of names) {
    const values = lists.get(name) ?? ['']
    combined = combined.flatMap((fields) => values.map((value) => ({ ...fields, [name]: value })))
  }
  return combined
}
