/**
 * Reads the query of `GET /api/v1/runs`.
 *
 * @module
 */

import { hint } from '#shared/closest.ts'
import { AvisoError } from '#shared/errors.ts'
import { readQuery } from '#shared/http/query.ts'
import { createField, type Field } from '#shared/notification/fields.ts'
import { fieldOptions } from '#shared/notification/field_options.ts'
import type { Schemas } from '#shared/notification/schema.ts'
import { RUN_STATES, type RunFilter, type RunState } from '#shared/runs/runs.ts'
import * as v from 'valibot'
import { ABSENT, EVENT_FIELD, RUN_EVENT, STATE_FIELD, type RunFields } from './run_schema.ts'

/** Runs of one page, unless the request says otherwise, and at most. */
const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
/** Names that are no field. */
const OWN = ['event', 'state', 'limit', 'cursor'] as const

/** Reads queries. */
export interface RunQueries {
  /** @throws {AvisoError} `ERR_BAD_REQUEST` (`details.field`) for an unknown name or value. */
  read(url: string): Omit<RunFilter, 'accepts'>
}

/** @param schemas With the event type `run`. */
export function createRunQueries(schemas: Schemas, runs: RunFields): RunQueries {
  const { request } = schemas.require(RUN_EVENT).rawDescription
  const fields = new Map<string, Field>()
  for (const [name, types] of Object.entries(request)) {
    if (name === EVENT_FIELD || name === STATE_FIELD) continue
    fields.set(name, createField(name, v.parse(v.array(fieldOptions), types)))
  }

  return {
    read(url) {
      const query = readQuery(url)
      const event = one(query, 'event')
      if (event !== undefined && !runs.has(event))
        throw refuse(
          'event',
          `"${shown(event)}" is no event type whose runs are followed: ${hint(event, runs.keys())}`,
        )
      const known = event === undefined ? [...fields.keys()] : (runs.get(event) ?? [])
      const wanted: Record<string, string> = {}
      for (const name of new Set(query.keys())) {
        if (OWN.some((own) => own === name)) continue
        const field = known.includes(name) ? fields.get(name) : undefined
        if (field === undefined)
          throw refuse(
            shown(name),
            `"${shown(name)}" is no field of a run: ${hint(name, [...known, ...OWN])}`,
          )
        wanted[name] = canonical(field, one(query, name) ?? '')
      }
      const cursor = one(query, 'cursor')
      return {
        ...(event !== undefined && { event }),
        fields: wanted,
        state: stateIn(query),
        limit: limitIn(query),
        ...(cursor !== undefined && { cursor }),
      }
    },
  }
}

function canonical(field: Field, value: string): string {
  const text = field.readSpelling?.(value) ?? field.canonicalise(value)
  if (typeof text === 'string' && text !== ABSENT) return text
  const reason =
    typeof text === 'string'
      ? 'a run that lacks the field cannot be asked for'
      : (text.reason ?? text.message)
  throw refuse(field.name, `"${shown(value)}" is no value of ${field.name}: ${reason}`)
}

function stateIn(query: URLSearchParams): RunState | undefined {
  const text = one(query, 'state')
  if (text === undefined) return undefined
  const state = RUN_STATES.find((each) => each === text)
  if (state === undefined)
    throw refuse('state', `"${shown(text)}" is no state of a run: ${hint(text, RUN_STATES)}`)
  return state
}

function limitIn(query: URLSearchParams): number {
  const text = one(query, 'limit')
  if (text === undefined) return DEFAULT_LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= MAX_LIMIT) return limit
  throw refuse('limit', `'limit' must be a whole number from 1 to ${MAX_LIMIT}`)
}

function one(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  if (values.length > 1) throw refuse(shown(name), `'${shown(name)}' must be given once`)
  return values[0]
}

function shown(text: string): string {
  return text.slice(0, 64)
}

function refuse(field: string, message: string): AvisoError {
  return new AvisoError('ERR_BAD_REQUEST', message, { details: { field } })
}
